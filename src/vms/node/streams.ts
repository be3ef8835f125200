// Consoles and screens have one viewer: a new one ends the one before. Slots have one client each, until it leaves.
import type { Duplex } from "node:stream";
import { StatusError } from "../../lib/status-error.ts";
import type { Vm } from "./vm.ts";

export class Streams {
  readonly #open = new Map<string, Duplex>();
  readonly #opening = new Set<string>();

  async open(vm: Vm, name: string, dial: () => Promise<Duplex>): Promise<Duplex> {
    const key = `${vm.options.podUid}/${name}`;
    const before = this.#open.get(key);
    if (before && !before.destroyed) {
      const gone = new Promise((resolve) => before.once("close", resolve));
      before.destroy();
      await gone;
    }
    const stream = await dial();
    this.#open.set(key, stream);
    stream.once("close", () => {
      if (this.#open.get(key) === stream) this.#open.delete(key);
    });
    return stream;
  }

  /** One of these slots that nobody has. */
  async openFree(vm: Vm, names: string[], dial: (name: string) => Promise<Duplex>) {
    const keyOf = (name: string) => `${vm.options.podUid}/${name}`;
    const free = names.find(
      (name) => !this.#open.has(keyOf(name)) && !this.#opening.has(keyOf(name)),
    );
    if (!free) throw new StatusError("Conflict", "every slot of the guest is taken");
    this.#opening.add(keyOf(free));
    try {
      return await this.open(vm, free, () => dial(free));
    } finally {
      this.#opening.delete(keyOf(free));
    }
  }
}
