// Time that a probe gives a container. While this process did not run, because others had the processors or because it
// computed, it could hear no answer: that time is not the container's. So it is counted in pieces, each of which begins
// when this process runs, and what came meanwhile is heard before the time is up.
import type { Cancel, Clock } from "../../lib/clock.ts";

const pieces = 10;

/** Calls `late` once, unless it is cancelled before. */
export function deadline(clock: Clock, ms: number, late: () => void): Cancel {
  let left = pieces;
  let cancel: Cancel = () => {};
  const wait = () => {
    cancel = clock.after(ms / pieces, () => {
      left -= 1;
      if (left > 0) return wait();
      const turn = setImmediate(late);
      cancel = () => clearImmediate(turn);
    });
  };
  wait();
  return () => cancel();
}
