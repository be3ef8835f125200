// Where anybody in the network may speak of any device: who spoke of one first goes on to, so that another who takes
// its name, or one that is heard by two ways, changes nothing. Pure.
import type { Device } from "../discovery/handler.ts";

export interface SpeakerLimits {
  devicesMax: number;
  /** Rounds without its speaker before a device may have another. */
  missesMax: number;
}

export class Speakers {
  readonly #limits: SpeakerLimits;
  readonly #known = new Map<string, { address: string; misses: number }>();
  #heard = new Map<string, { device: Device; address: string }>();

  constructor(limits: SpeakerLimits) {
    this.#limits = limits;
  }

  hear(device: Device, address: string) {
    const before = this.#heard.get(device.id);
    const isOwner = this.#known.get(device.id)?.address === address;
    const hasRoom = before !== undefined || this.#heard.size < this.#limits.devicesMax;
    if (hasRoom && (!before || isOwner)) this.#heard.set(device.id, { device, address });
  }

  /** The devices of the round that ends, as their own speakers told of them. */
  endRound(): Device[] {
    const { missesMax } = this.#limits;
    for (const [id, known] of this.#known) if (++known.misses > missesMax) this.#known.delete(id);
    const own = [...this.#heard].filter(([id, { address }]) => {
      const known = this.#known.get(id);
      return !known || known.address === address;
    });
    for (const [id, { address }] of own) this.#known.set(id, { address, misses: 0 });
    this.#heard = new Map();
    return own.map(([, { device }]) => device);
  }
}
