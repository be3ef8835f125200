// Forgets history by age and by count. Clients that lost their watch come back within minutes and want to
// go on where they were, so a revision is kept for five minutes at least, unless more than `historyMax` are.
import type { Cancel, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Store } from "./store.ts";

export const historyKeptMs = 5 * 60_000;
export const historyMax = 100_000;
/** How often the count is looked at; it bounds what a burst of writes leaves behind. */
const checkEveryMs = 10_000;

/** Up to where to compact: `aged`, the newest revision old enough, or so that at most `max` remain. Pure. */
export const compactionTarget = (aged: number, now: number, max = historyMax) =>
  Math.max(aged, now - max);

export function startCompaction(store: Store, options: { clock: Clock; log: Log }): Cancel {
  const { clock, log } = options;
  let aged = store.compacted();
  let mark = { revision: store.revision(), at: clock.monotonic() };
  return clock.every(checkEveryMs, () => {
    if (clock.monotonic() - mark.at >= historyKeptMs) {
      aged = mark.revision;
      mark = { revision: store.revision(), at: clock.monotonic() };
    }
    const target = compactionTarget(aged, store.revision());
    if (target <= store.compacted()) return;
    store.compact(target).catch((error: Error) => {
      log.error("compaction failed", { error: error.message });
    });
  });
}
