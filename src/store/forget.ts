// Removal of history, precisely: what a change replaced goes, and a delete goes itself. What is live stays,
// however old. In slices, so that it never holds the process up; each slice says on disk how far it came.
import { setImmediate } from "node:timers/promises";
import type { Backend } from "./backend.ts";

/** Changes looked at in one slice. */
const sliceChanges = 1000;

/** What (from, upTo] made superfluous, as far as one slice goes. */
function nextSlice(backend: Backend, from: number, upTo: number) {
  const removed: number[] = [];
  let reached = from;
  let seen = 0;
  for (const { revision, previous, type } of backend.heads(from)) {
    if (revision > upTo) break;
    if (seen++ >= sliceChanges) return { removed, reached };
    reached = revision;
    if (previous > 0) removed.push(previous);
    if (type === "delete") removed.push(revision);
  }
  return { removed, reached: upTo };
}

/** Forgets what was superseded in (from, upTo], unless `stopped`. Writes nothing when nothing was. */
export async function forget(
  backend: Backend,
  { from, upTo, stopped }: { from: number; upTo: number; stopped: () => boolean },
) {
  let position = from;
  while (position < upTo && !stopped()) {
    const { removed, reached } = nextSlice(backend, position, upTo);
    if (removed.length > 0) await backend.commit({ removed, compacted: reached });
    position = reached;
    await setImmediate();
  }
}
