// What is being given to a container, and what was a moment ago, is not seen in the kubelet's list yet.
import type { Clock } from "../../lib/clock.ts";

export class Fresh {
  readonly #clock: Clock;
  readonly #ms: number;
  /** Infinity while it is being given. */
  readonly #given = new Map<string, number>();

  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  /** Gives `ids`, however long that takes. */
  async giving<T>(ids: string[], give: () => Promise<T>): Promise<T> {
    for (const id of ids) this.#given.set(id, Infinity);
    try {
      return await give();
    } finally {
      for (const id of ids) this.#given.set(id, this.#clock.monotonic());
    }
  }

  has(id: string): boolean {
    const at = this.#given.get(id);
    if (at === undefined) return false;
    if (this.#clock.monotonic() - at < this.#ms) return true;
    this.#given.delete(id);
    return false;
  }
}
