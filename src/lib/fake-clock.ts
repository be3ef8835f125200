// A clock that moves only when told to. Timers fire in order of their due time, so a simulation is
// the same on every run.
import type { Cancel, Clock } from "./clock.ts";

interface Timer {
  due: number;
  order: number;
  everyMs: number | undefined;
  run: () => void;
}

export class FakeClock implements Clock {
  #now: number;
  #elapsed = 0;
  #order = 0;
  #timers = new Set<Timer>();

  constructor(now = Date.UTC(2026, 0, 1)) {
    this.#now = now;
  }

  now() {
    return this.#now + this.#elapsed;
  }

  monotonic() {
    return this.#elapsed;
  }

  after(ms: number, run: () => void): Cancel {
    return this.#add(Math.max(ms, 0), undefined, run);
  }

  every(ms: number, run: () => void): Cancel {
    return this.#add(ms, ms, run);
  }

  /** Sets the wall clock without letting time pass, as a bad RTC does. */
  jumpTo(now: number) {
    this.#now = now - this.#elapsed;
  }

  /** Lets `ms` pass, firing what falls due, and yields to promises between timers. */
  async advance(ms: number) {
    const end = this.#elapsed + ms;
    for (;;) {
      await new Promise((resolve) => setImmediate(resolve));
      const next = this.#earliest();
      if (!next || next.due > end) break;
      this.#elapsed = Math.max(this.#elapsed, next.due);
      if (next.everyMs === undefined) this.#timers.delete(next);
      else next.due += next.everyMs;
      next.run();
    }
    this.#elapsed = end;
  }

  #add(ms: number, everyMs: number | undefined, run: () => void): Cancel {
    const timer = { due: this.#elapsed + ms, order: this.#order++, everyMs, run };
    this.#timers.add(timer);
    return () => void this.#timers.delete(timer);
  }

  #earliest() {
    let best: Timer | undefined;
    for (const timer of this.#timers) {
      if (!best || timer.due < best.due || (timer.due === best.due && timer.order < best.order)) {
        best = timer;
      }
    }
    return best;
  }
}
