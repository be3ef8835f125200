// Forgets history by age and by count, as clients expect it every five minutes or so: a revision is kept
// for at least that long, unless more than `historyMax` are.
import type { Cancel, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Store } from "./store.ts";

export const compactionEveryMs = 5 * 60_000;
export const historyMax = 100_000;

/** Up to where to compact: the revision of one period ago, or so that at most `max` remain. Pure. */
export function compactionTarget(periodAgo: number, now: number, max = historyMax): number {
  return Math.max(periodAgo, now - max);
}

export function startCompaction(store: Store, options: { clock: Clock; log: Log }): Cancel {
  let periodAgo = store.revision();
  return options.clock.every(compactionEveryMs, () => {
    const target = compactionTarget(periodAgo, store.revision());
    periodAgo = store.revision();
    if (target <= store.compacted()) return;
    store.compact(target).catch((error: Error) => {
      options.log.error("compaction failed", { error: error.message });
    });
  });
}
