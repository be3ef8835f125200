// How far a quiet watcher is. A bookmark may only name a revision up to which the watcher was told
// everything: when nothing under its prefix is newer than what it has, that is the newest revision.
import type { Store } from "../store/store.ts";

interface Tracked {
  newest: number;
  users: number;
  stop: () => void;
}

const trackers = new WeakMap<Store, Map<string, Tracked>>();

/** Follows the newest change under `prefix`; shared by all watchers of it. */
export function trackProgress(store: Store, prefix: string) {
  let tracked = trackers.get(store);
  if (!tracked) trackers.set(store, (tracked = new Map()));
  const all = tracked;
  let one = all.get(prefix);
  if (!one) {
    const fresh: Tracked = { newest: 0, users: 0, stop: () => {} };
    fresh.stop = store.subscribe(prefix, (events) => {
      fresh.newest = events[events.length - 1]!.revision;
    });
    all.set(prefix, fresh);
    one = fresh;
  }
  const mine = one;
  mine.users++;
  return {
    /** The newest revision a watcher that was told up to `delivered` has seen all of. */
    reached: (delivered: number) =>
      mine.newest <= delivered ? Math.max(store.revision(), delivered) : delivered,
    stop() {
      if (--mine.users > 0) return;
      all.delete(prefix);
      mine.stop();
    },
  };
}
