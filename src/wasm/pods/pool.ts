// Sandboxes with a runner in them that wait for a pod. There is one for each kind of runner that pods asked for lately,
// for a few kinds, and none on a machine that has had none for a while.
import type { Clock } from "../../lib/clock.ts";
import type { SandboxRecord } from "./records.ts";
import type { RunnerKind } from "../../node/process-programs.ts";

/** Nobody's yet. */
export type Prepared = SandboxRecord;

export interface Wish {
  kind: RunnerKind;
  /** The cgroup in which its pod's lies. */
  above: string;
}

export interface PoolOptions {
  make: (wish: Wish) => Promise<Prepared>;
  drop: (prepared: Prepared) => Promise<void>;
  isAlive: (prepared: Prepared) => boolean;
  clock: Clock;
}

/** A pod that just starts has the machine to itself. */
const quietMs = 1000;
const keepMs = 600_000;
/** Each takes memory; the kind that was asked for longest ago goes first. */
const kindsMax = 3;

const textOf = ({ program, network, uid, gid, groups }: RunnerKind) =>
  [program, network, uid, gid, ...groups].join("/");

export const sameKind = (a: RunnerKind, b: RunnerKind) => textOf(a) === textOf(b);

const keyOf = ({ kind, above }: Wish) => `${textOf(kind)} ${above}`;

export class Pool {
  readonly #options: PoolOptions;
  readonly #ready = new Map<string, Prepared>();
  readonly #filling = new Map<string, Promise<void>>();
  /** Who cancels what is to come, by kind, the latest wish last. */
  readonly #wishes = new Map<string, () => void>();
  #isClosed = false;

  constructor(options: PoolOptions) {
    this.#options = options;
  }

  /** What is ready, if it is; the next is made when the machine had a moment of quiet. */
  take(wish: Wish): Prepared | undefined {
    const key = keyOf(wish);
    const prepared = this.#ready.get(key);
    this.#ready.delete(key);
    this.wish(wish);
    if (!prepared || this.#options.isAlive(prepared)) return prepared;
    void this.#options.drop(prepared).catch(() => {});
    return undefined;
  }

  /** Lets one be ready soon, and for a while. */
  wish(wish: Wish) {
    const { clock } = this.#options;
    const key = keyOf(wish);
    this.#forget(key);
    const fill = clock.after(quietMs, () => {
      const [oldest] = this.#wishes.keys();
      if (this.#wishes.size > kindsMax) void this.#leave(oldest!);
      void this.#fill(key, wish);
    });
    const leave = clock.after(keepMs, () => void this.#leave(key));
    this.#wishes.set(key, () => {
      fill();
      leave();
    });
  }

  #forget(key: string) {
    this.#wishes.get(key)?.();
    this.#wishes.delete(key);
  }

  async #fill(key: string, wish: Wish) {
    if (this.#isClosed || this.#ready.has(key) || this.#filling.has(key)) return;
    const filling = this.#options.make(wish).then(
      async (prepared) => {
        if (this.#isClosed || !this.#wishes.has(key)) await this.#options.drop(prepared);
        else this.#ready.set(key, prepared);
      },
      // Whoever needs one makes it for itself, and is told why it cannot be made.
      () => {},
    );
    this.#filling.set(key, filling);
    await filling;
    this.#filling.delete(key);
  }

  async #leave(key: string) {
    this.#forget(key);
    const prepared = this.#ready.get(key);
    this.#ready.delete(key);
    if (prepared) await this.#options.drop(prepared).catch(() => {});
  }

  async close() {
    this.#isClosed = true;
    for (const cancel of this.#wishes.values()) cancel();
    await Promise.all(this.#filling.values());
    await Promise.all([...this.#ready.keys()].map((key) => this.#leave(key)));
  }
}
