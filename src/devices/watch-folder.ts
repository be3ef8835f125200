// Says when something in a folder may have changed: at once, on the kernel's word, and every ten seconds
// where there is no such word.
import { watch } from "node:fs";
import type { Clock } from "../lib/clock.ts";
import { Signal } from "./signal.ts";

const lookEveryMs = 10_000;

export async function* watchFolder(
  directory: string,
  { clock, signal }: { clock: Clock; signal: AbortSignal },
): AsyncGenerator<void> {
  const changed = new Signal(signal);
  const stop = clock.every(lookEveryMs, () => changed.raise());
  const watcher = watch(directory, { persistent: false }, () => changed.raise());
  watcher.on("error", () => {});
  try {
    yield;
    while (await changed.next()) yield;
  } finally {
    stop();
    watcher.close();
  }
}
