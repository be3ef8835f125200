// Instances of one handler, in one process: each answers one request at a time, so there are as many as there are
// requests at once, within limits. An idle one costs its memory and nothing else. Pure but for `make`.
export interface PoolOptions<T> {
  make: () => T;
  /** At most so many at once; whoever comes then waits. */
  instancesMax: number;
  /** So many are made ahead, and kept while nobody asks. */
  readyMin: number;
  /** After so many uses an instance is replaced. */
  usesMax: number;
  waitingMax: number;
  /** What all of them may weigh together, above the first. */
  bytesMax: number;
  weigh: (instance: T) => number;
}

export interface Slot<T> {
  readonly instance: T;
  uses: number;
}

export class InstancePool<T> {
  readonly #options: PoolOptions<T>;
  #idle: Slot<T>[] = [];
  readonly #busy = new Set<Slot<T>>();
  readonly #waiting = new Set<(slot: Slot<T>) => void>();
  /** Most that were in use at once since the last look. */
  #peak = 0;
  usesMax: number;

  constructor(options: PoolOptions<T>) {
    this.#options = options;
    this.usesMax = options.usesMax;
    this.prepare();
  }

  get size(): number {
    return this.#idle.length + this.#busy.size;
  }

  /** An instance for one use, or a promise of one; undefined where too many wait already. */
  take(signal?: AbortSignal): Slot<T> | Promise<Slot<T>> | undefined {
    const slot = this.#idle.pop() ?? (this.#mayGrow() ? this.#make() : undefined);
    if (slot) return this.#use(slot);
    if (this.#waiting.size >= this.#options.waitingMax) return undefined;
    return new Promise((resolve, reject) => {
      this.#waiting.add(resolve);
      signal?.addEventListener("abort", () => {
        if (this.#waiting.delete(resolve)) reject(signal.reason as Error);
      });
    });
  }

  #use(slot: Slot<T>): Slot<T> {
    this.#busy.add(slot);
    this.#peak = Math.max(this.#peak, this.#busy.size);
    return slot;
  }

  #make = (): Slot<T> => ({ instance: this.#options.make(), uses: 0 });

  #mayGrow(): boolean {
    const { instancesMax, bytesMax, weigh } = this.#options;
    if (this.size === 0) return true;
    if (this.size >= instancesMax) return false;
    const weights = [...this.#idle, ...this.#busy].map(({ instance }) => weigh(instance));
    return weights.reduce((sum, one) => sum + one, 0) + Math.min(...weights) <= bytesMax;
  }

  /** `isGood`: it can be used again. */
  give(slot: Slot<T>, isGood: boolean) {
    this.#busy.delete(slot);
    slot.uses += 1;
    const isKept = isGood && slot.uses < this.usesMax;
    const [next] = this.#waiting;
    if (!next) {
      if (isKept) this.#idle.push(slot);
      return;
    }
    if (!isKept && !this.#mayGrow()) return;
    this.#waiting.delete(next);
    next(this.#use(isKept ? slot : this.#make()));
  }

  /** Makes those that are to be ready ahead. */
  prepare() {
    while (this.#idle.length < this.#options.readyMin && this.#mayGrow()) {
      this.#idle.push(this.#make());
    }
  }

  /** Lets go of those that were not needed since the last time. */
  trim() {
    const kept = Math.max(this.#options.readyMin, this.#peak) - this.#busy.size;
    this.#idle.splice(0, this.#idle.length - Math.max(kept, 0));
    this.#peak = this.#busy.size;
  }
}
