// A queue of keys for level-triggered work. A key waits at most once; one that is added while it is being
// worked on is worked on again afterwards, never at the same time; one that fails comes back later and later.
import { backoffMs } from "./backoff.ts";
import type { Cancel, Clock } from "./clock.ts";

export interface WorkQueueOptions {
  clock: Clock;
  /** Keys worked on at once. */
  workers: number;
  work: (key: string) => Promise<void>;
  onError?: (key: string, error: unknown, failures: number) => void;
  firstDelayMs?: number;
  maxDelayMs?: number;
}

export class WorkQueue {
  readonly #options: WorkQueueOptions;
  readonly #waiting = new Set<string>();
  readonly #active = new Set<string>();
  readonly #again = new Set<string>();
  readonly #failures = new Map<string, number>();
  readonly #timers = new Map<string, { due: number; cancel: Cancel }>();
  #stopped = false;
  #drained: (() => void) | undefined;

  constructor(options: WorkQueueOptions) {
    this.#options = options;
  }

  add(key: string) {
    if (this.#stopped) return;
    if (this.#active.has(key)) this.#again.add(key);
    else this.#waiting.add(key);
    queueMicrotask(() => this.#next());
  }

  /** Adds `key` after `ms`; the earlier of two delays counts. */
  addAfter(key: string, ms: number) {
    if (this.#stopped) return;
    const { clock } = this.#options;
    const due = clock.monotonic() + ms;
    const timer = this.#timers.get(key);
    if (timer && timer.due <= due) return;
    timer?.cancel();
    const cancel = clock.after(ms, () => {
      this.#timers.delete(key);
      this.add(key);
    });
    this.#timers.set(key, { due, cancel });
  }

  /** Nothing new is begun; resolves when what is running has ended. */
  async stop() {
    this.#stopped = true;
    this.#waiting.clear();
    this.#again.clear();
    for (const { cancel } of this.#timers.values()) cancel();
    this.#timers.clear();
    if (this.#active.size > 0) await new Promise<void>((resolve) => (this.#drained = resolve));
  }

  #next() {
    for (const key of this.#waiting) {
      if (this.#stopped || this.#active.size >= this.#options.workers) return;
      this.#waiting.delete(key);
      this.#active.add(key);
      void this.#run(key);
    }
  }

  async #run(key: string) {
    try {
      await this.#options.work(key);
      this.#failures.delete(key);
    } catch (error) {
      const failures = (this.#failures.get(key) ?? 0) + 1;
      this.#failures.set(key, failures);
      if (!this.#stopped) {
        this.#options.onError?.(key, error, failures);
        const { firstDelayMs: firstMs = 5, maxDelayMs: maxMs = 60_000 } = this.#options;
        this.addAfter(key, backoffMs(failures, { firstMs, maxMs }));
      }
    }
    this.#active.delete(key);
    if (this.#again.delete(key)) this.add(key);
    if (this.#stopped && this.#active.size === 0) this.#drained?.();
    this.#next();
  }
}
