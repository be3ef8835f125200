// The handlers that a node has now: its own, and those that registered.
import type { DiscoveryHandler } from "./handler.ts";

export class Handlers {
  readonly #handlers = new Set<DiscoveryHandler>();
  readonly #listeners = new Set<(name: string) => void>();

  constructor(own: DiscoveryHandler[]) {
    for (const handler of own) this.#handlers.add(handler);
  }

  named(name: string): DiscoveryHandler[] {
    return [...this.#handlers].filter((one) => one.name === name);
  }

  /** Returns its removal. */
  add(handler: DiscoveryHandler): () => void {
    this.#handlers.add(handler);
    this.#tell(handler.name);
    return () => {
      if (this.#handlers.delete(handler)) this.#tell(handler.name);
    };
  }

  /** Those of this name say that they are there. */
  retry(name: string) {
    this.#tell(name);
  }

  onChange(listener: (name: string) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(name: string) {
    for (const listener of this.#listeners) listener(name);
  }
}
