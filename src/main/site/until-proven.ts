// What is tried (a release, other options) proves itself within some minutes, or what was before runs again.
import { sleep, systemClock } from "../../lib/clock.ts";

const doneMsMax = 200_000;
const lookEveryMs = 500;

/**
 * What `look` finds once it finds something. A look that is undefined is repeated, one that throws ends it; throws
 * `late` when nothing came.
 */
export async function untilProven<T>(look: () => Promise<T | undefined>, late: string): Promise<T> {
  const deadline = systemClock.monotonic() + doneMsMax;
  while (systemClock.monotonic() < deadline) {
    await sleep(systemClock, lookEveryMs);
    const found = await look();
    if (found !== undefined) return found;
  }
  throw new Error(late);
}
