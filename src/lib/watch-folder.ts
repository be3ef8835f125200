// Says when something in folders may have changed: at once, soon after the kernel's word, and every ten seconds
// where there is no such word.
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { sleep } from "./clock.ts";
import type { Clock } from "./clock.ts";
import { Signal } from "./signal.ts";

const lookEveryMs = 10_000;
/** One change most often comes with others. */
const settleMs = 20;

export async function* watchFolders(
  directories: string[],
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): AsyncGenerator<void> {
  const changed = new Signal(signal);
  const stop = clock.every(lookEveryMs, () => changed.raise());
  const watchers: FSWatcher[] = [];
  for (const directory of directories) {
    try {
      const watcher = watch(directory, { persistent: false }, () => changed.raise());
      watcher.on("error", () => {});
      watchers.push(watcher);
    } catch {
      // A folder that is not there is looked into by the clock alone.
    }
  }
  try {
    yield;
    while (await changed.next()) {
      await sleep(clock, settleMs, signal).catch(() => {});
      if (!signal.aborted) yield;
    }
  } finally {
    stop();
    for (const watcher of watchers) watcher.close();
  }
}
