// A clock that moves only when told to. Timers fire in order of their due time, so a simulation is
// the same on every run.
import type { Cancel, Clock } from "./clock.ts";

interface Timer {
  due: number;
  order: number;
  everyMs: number | undefined;
  run: (() => void) | undefined;
}

const isBefore = (a: Timer, b: Timer) => a.due < b.due || (a.due === b.due && a.order < b.order);

/** A binary heap: a fleet has a hundred thousand timers. Cancelled ones stay until they are due. */
class TimerHeap {
  readonly #timers: Timer[] = [];

  get first(): Timer | undefined {
    return this.#timers[0];
  }

  push(timer: Timer) {
    const timers = this.#timers;
    let at = timers.length;
    timers.push(timer);
    while (at > 0) {
      const parent = (at - 1) >>> 1;
      if (!isBefore(timer, timers[parent]!)) break;
      timers[at] = timers[parent]!;
      at = parent;
    }
    timers[at] = timer;
  }

  pop(): Timer | undefined {
    const timers = this.#timers;
    const first = timers[0];
    const last = timers.pop();
    if (first === last) return first;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= timers.length) break;
      if (child + 1 < timers.length && isBefore(timers[child + 1]!, timers[child]!)) child++;
      if (!isBefore(timers[child]!, last!)) break;
      timers[at] = timers[child]!;
      at = child;
    }
    timers[at] = last!;
    return first;
  }
}

export class FakeClock implements Clock {
  #now: number;
  #elapsed = 0;
  #order = 0;
  readonly #timers = new TimerHeap();

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
      this.#timers.pop();
      const { run } = next;
      if (next.everyMs === undefined) next.run = undefined;
      else this.#timers.push(Object.assign(next, { due: next.due + next.everyMs }));
      run!();
    }
    this.#elapsed = end;
  }

  #add(ms: number, everyMs: number | undefined, run: () => void): Cancel {
    const timer: Timer = { due: this.#elapsed + ms, order: this.#order++, everyMs, run };
    this.#timers.push(timer);
    return () => void (timer.run = undefined);
  }

  #earliest() {
    while (this.#timers.first && !this.#timers.first.run) this.#timers.pop();
    return this.#timers.first;
  }
}
