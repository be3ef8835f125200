// Consoles and screens have one viewer: a new one ends the one before.
import type { Duplex } from "node:stream";
import type { Vm } from "./vm.ts";

export class Streams {
  readonly #open = new Map<string, Duplex>();

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
}
