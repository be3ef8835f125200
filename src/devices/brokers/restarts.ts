// How long a broker that ended waits for its successor: the first comes at once, each that follows within
// ten minutes waits twice as long. Failed brokers do not pile up.

const firstDelayMs = 1000;
const delayMsMax = 5 * 60_000;
const forgetMs = 10 * 60_000;
const brokersMax = 10_000;

export class Restarts {
  readonly #ended = new Map<string, { at: number; delayMs: number }>();

  ended(broker: string, now: number) {
    const before = this.#ended.get(broker);
    const recent = before && now - before.at < forgetMs;
    const delayMs = recent ? Math.min(Math.max(before.delayMs * 2, firstDelayMs), delayMsMax) : 0;
    this.#ended.delete(broker);
    this.#ended.set(broker, { at: now, delayMs });
    if (this.#ended.size <= brokersMax) return;
    const [oldest] = this.#ended.keys();
    this.#ended.delete(oldest!);
  }

  waitMs(broker: string, now: number): number {
    const last = this.#ended.get(broker);
    return last ? Math.max(0, last.at + last.delayMs - now) : 0;
  }
}
