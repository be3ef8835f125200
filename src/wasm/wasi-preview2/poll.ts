// wasi:io/poll. A pollable is ready or will be at a time; what comes from outside is told by the bridge.
import { FileError } from "../files/file-error.ts";
import { pause } from "../files/open-file.ts";

/** Whatever brings news from outside this thread. */
export interface News {
  /** Waits for news, this long at most; undefined: until there are some. */
  wait(ms: number | undefined): void;
}

export interface PollableState {
  isReady: () => boolean;
  /** Monotonic nanoseconds. */
  dueAt?: bigint;
}

const waitMsMax = 2 ** 31 - 1;

export class Pollable {
  readonly state: PollableState;

  constructor(state: PollableState) {
    this.state = state;
  }

  ready(): boolean {
    return this.state.isReady();
  }

  block() {
    waitFor([this]);
  }
}

export const readyNow = () => new Pollable({ isReady: () => true });

export const poller: { monotonic: () => bigint; news: News | undefined } = {
  monotonic: () => process.hrtime.bigint(),
  news: undefined,
};

function waitFor(all: Pollable[]): number[] {
  for (;;) {
    const ready = all.flatMap((one, i) => (one.ready() ? [i] : []));
    if (ready.length > 0) return ready;
    const due = all.flatMap(({ state }) => state.dueAt ?? []);
    const first = due.length > 0 ? due.reduce((a, b) => (a < b ? a : b)) : undefined;
    const left = first === undefined ? undefined : Number(first - poller.monotonic()) / 1e6;
    const ms = left === undefined ? undefined : Math.min(Math.max(left, 0), waitMsMax);
    if (poller.news) poller.news.wait(ms);
    else pause(ms ?? waitMsMax);
  }
}

export const pollInterface = {
  Pollable,
  poll(all: Pollable[]): Uint32Array {
    if (all.length === 0) throw new FileError("EINVAL");
    return Uint32Array.from(waitFor(all));
  },
};
