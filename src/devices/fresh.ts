// What was given to a container a moment ago is not seen in the kubelet's list yet.
import type { Clock } from "../lib/clock.ts";

const freshMs = 5000;

export class Fresh {
  readonly #clock: Clock;
  readonly #given = new Map<string, number>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  add(id: string) {
    this.#given.set(id, this.#clock.monotonic());
  }

  has(id: string): boolean {
    const at = this.#given.get(id);
    if (at === undefined) return false;
    if (this.#clock.monotonic() - at < freshMs) return true;
    this.#given.delete(id);
    return false;
  }
}
