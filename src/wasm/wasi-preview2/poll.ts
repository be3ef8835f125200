// wasi:io/poll. A pollable is ready or will be: at a time, or when whatever it stands for has news. Waiting is
// a promise, so a guest that waits (wasi-preview2/suspension.ts) leaves its thread to others.
import type { Cancel, Clock } from "../../lib/clock.ts";
import { systemClock } from "../../lib/clock.ts";
import { FileError } from "../files/file-error.ts";

export interface PollableState {
  isReady: () => boolean;
  /** Calls `wake` whenever it may have become ready. */
  listen?: (wake: () => void) => Cancel;
  /** Monotonic nanoseconds. */
  dueAt?: bigint;
}

export class Pollable {
  readonly state: PollableState;

  constructor(state: PollableState) {
    this.state = state;
  }

  ready(): boolean {
    return this.state.isReady();
  }

  /** Whoever calls it has waited before. */
  block() {}
}

export const readyNow = () => new Pollable({ isReady: () => true });

/** Of the world that the guest is in. */
export const poller: { monotonic: () => bigint; clock: Clock } = {
  monotonic: () => process.hrtime.bigint(),
  clock: systemClock,
};

/** Calls `wake` at a time; timers of Node fire a little early, and the longest are cut. */
function atTime(dueAt: bigint, wake: () => void): Cancel {
  let cancel: Cancel;
  const again = () => {
    const ms = Number(dueAt - poller.monotonic()) / 1e6;
    if (ms <= 0) return wake();
    cancel = poller.clock.after(Math.ceil(ms), again);
  };
  again();
  return () => cancel();
}

/** Resolves when one of them is ready; undefined where one is now. */
export function waitFor(all: Pollable[]): Promise<void> | undefined {
  const isOver = () => all.some((one) => one.ready());
  if (all.length === 0 || isOver()) return undefined;
  return new Promise((resolve) => {
    const cancels: Cancel[] = [];
    const look = () => {
      if (!isOver()) return;
      for (const cancel of cancels) cancel();
      resolve();
    };
    for (const { state } of all) {
      if (state.listen) cancels.push(state.listen(look));
      if (state.dueAt !== undefined) cancels.push(atTime(state.dueAt, look));
    }
  });
}

export const pollInterface = {
  Pollable,
  poll(all: Pollable[]): Uint32Array {
    if (all.length === 0) throw new FileError("EINVAL");
    return Uint32Array.from(all.flatMap((one, i) => (one.ready() ? [i] : [])));
  },
};

/** What was begun, and what came of it. */
export class Outcome<T> {
  #settled: { value: T } | { failure: NodeJS.ErrnoException } | undefined;
  readonly #wakes = new Set<() => void>();

  constructor(work: Promise<T>) {
    work.then(
      (value) => this.#settle({ value }),
      (failure: NodeJS.ErrnoException) => this.#settle({ failure }),
    );
  }

  #settle(settled: { value: T } | { failure: NodeJS.ErrnoException }) {
    this.#settled = settled;
    for (const wake of this.#wakes) wake();
  }

  get isReady(): boolean {
    return this.#settled !== undefined;
  }

  get failure(): NodeJS.ErrnoException | undefined {
    return this.#settled && "failure" in this.#settled ? this.#settled.failure : undefined;
  }

  /** Once it is there and no failure. */
  get value(): T {
    return (this.#settled as { value: T }).value;
  }

  state(): PollableState {
    return {
      isReady: () => this.isReady,
      listen: (wake) => {
        this.#wakes.add(wake);
        return () => this.#wakes.delete(wake);
      },
    };
  }
}
