// A network with a runner in it that waits for a module, for the next pod that wants one. There is one of a kind while
// such pods come, and none on a machine that has had none for a while.
import type { Clock } from "../../lib/clock.ts";
import type { SandboxRecord } from "./records.ts";

/** Nobody's yet. */
export type Prepared = SandboxRecord;

export interface PoolOptions {
  make: (network: boolean) => Promise<Prepared>;
  drop: (prepared: Prepared) => Promise<void>;
  isAlive: (prepared: Prepared) => boolean;
  clock: Clock;
}

/** A pod that just starts has the machine to itself. */
const quietMs = 1000;
const keepMs = 600_000;

export class Pool {
  readonly #options: PoolOptions;
  readonly #ready = new Map<boolean, Prepared>();
  readonly #filling = new Map<boolean, Promise<void>>();
  readonly #cancels = new Map<boolean, () => void>();
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** What is ready, if it is; the next is made when the machine had a moment of quiet. */
  take(network: boolean): Prepared | undefined {
    const prepared = this.#ready.get(network);
    this.#ready.delete(network);
    this.wish(network);
    if (!prepared || this.#options.isAlive(prepared)) return prepared;
    void this.#options.drop(prepared).catch(() => {});
    return undefined;
  }

  /** Lets one be ready soon, and for a while. */
  wish(network: boolean) {
    const { clock } = this.#options;
    this.#cancels.get(network)?.();
    const fill = clock.after(quietMs, () => void this.#fill(network));
    const leave = clock.after(keepMs, () => void this.#leave(network));
    this.#cancels.set(network, () => {
      fill();
      leave();
    });
  }

  async #fill(network: boolean) {
    if (this.#isClosed || this.#ready.has(network) || this.#filling.has(network)) return;
    const filling = this.#options.make(network).then(
      async (prepared) => {
        if (this.#isClosed) await this.#options.drop(prepared);
        else this.#ready.set(network, prepared);
      },
      // Whoever needs one makes it for itself, and is told why it cannot be made.
      () => {},
    );
    this.#filling.set(network, filling);
    await filling;
    this.#filling.delete(network);
  }

  async #leave(network: boolean) {
    const prepared = this.#ready.get(network);
    this.#ready.delete(network);
    if (prepared) await this.#options.drop(prepared).catch(() => {});
  }

  async close() {
    this.#isClosed = true;
    for (const cancel of this.#cancels.values()) cancel();
    await Promise.all(this.#filling.values());
    await Promise.all([...this.#ready.keys()].map((network) => this.#leave(network)));
  }
}
