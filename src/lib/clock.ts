// Time is a parameter. Nothing outside this file reads the wall clock or sets a timer, so a whole
// fleet can run in one seeded simulation and a test of an hour takes a millisecond.

/** Stops a timer; calling it twice is harmless. */
export type Cancel = () => void;

export interface Clock {
  /** Wall clock, milliseconds since 1970. May jump. */
  now(): number;
  /** Monotonic milliseconds; only differences mean anything. */
  monotonic(): number;
  /** Calls `run` once after `ms`. Never keeps the process alive by itself. */
  after(ms: number, run: () => void): Cancel;
  /** Calls `run` every `ms` until cancelled. Never keeps the process alive by itself. */
  every(ms: number, run: () => void): Cancel;
}

/** Longest delay setTimeout takes; longer ones fire at once, so they are cut to this. */
const delayMsMax = 2 ** 31 - 1;

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, run) {
    const timer = setTimeout(run, Math.min(Math.max(ms, 0), delayMsMax));
    timer.unref();
    return () => clearTimeout(timer);
  },
  every(ms, run) {
    const timer = setInterval(run, Math.min(ms, delayMsMax));
    timer.unref();
    return () => clearInterval(timer);
  },
};

/** Resolves after `ms`, or rejects with the signal's reason when it aborts first. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      cancel();
      reject(signal!.reason);
    };
    const cancel = clock.after(ms, () => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    });
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}

let printed = { second: Number.NaN, text: "" };

/** `meta/v1 Time`: RFC 3339 in UTC with whole seconds. Every write asks; few ask in a second of their own. */
export function timestamp(ms: number): string {
  const second = Math.floor(ms / 1000);
  if (second !== printed.second) {
    printed = { second, text: `${new Date(second * 1000).toISOString().slice(0, -5)}Z` };
  }
  return printed.text;
}

/** `meta/v1 MicroTime`: RFC 3339 in UTC with six decimals. */
export const microTimestamp = (ms: number) =>
  new Date(ms).toISOString().replace(/\.(\d{3})Z$/, ".$1000Z");

/** Keeps the process alive until cancelled; for commands that wait on others and own no handle of their own. */
export function holdOpen(): Cancel {
  const timer = setInterval(() => {}, delayMsMax);
  return () => clearInterval(timer);
}
