// Keeps a container's log within five files of ten mebibytes: the full one is renamed, the runtime opens a
// new one, and the oldest go.
import { rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import type { Scope } from "../lib/scope.ts";
import type { AgentContext } from "./context.ts";
import { logDirectory } from "./directories.ts";
import { isRunning } from "./instances.ts";
import { logFiles } from "./logs.ts";
import type { PodWorker } from "./pod-worker.ts";

const fileBytesMax = 10 * 2 ** 20;
const filesMax = 5;
const everyMs = 10_000;

/** Does nothing while the file is small. */
export async function rotateLog(
  path: string,
  { clock, reopen }: { clock: Clock; reopen: () => Promise<void> },
) {
  const size = await stat(path).then(
    (stats) => stats.size,
    () => 0,
  );
  if (size < fileBytesMax) return;
  const time = new Date(clock.now()).toISOString().replace(/\D/g, "").slice(0, 14);
  const aside = `${path}.${time}`;
  await rename(path, aside);
  try {
    await reopen();
  } catch (error) {
    await rename(aside, path);
    throw error;
  }
  const files = await logFiles(path);
  for (const old of files.slice(0, Math.max(files.length - filesMax, 0))) {
    await rm(old, { force: true });
  }
}

export function startLogRotation(
  { runtime, directories, clock, log }: AgentContext,
  workers: () => Iterable<PodWorker>,
  scope: Scope,
) {
  let turn: Promise<void> | undefined;
  const all = async () => {
    for (const { pod, instances } of workers()) {
      for (const instance of instances.newest.values()) {
        if (!isRunning(instance) || !instance.logPath || scope.closed) continue;
        const path = join(logDirectory(directories, pod), instance.logPath);
        const reopen = () => runtime.reopenLog(instance.id);
        await rotateLog(path, { clock, reopen }).catch((error) =>
          log.warn("a log was not rotated", { path, error: String(error) }),
        );
      }
    }
  };
  scope.defer(clock.every(everyMs, () => void (turn ??= all().finally(() => (turn = undefined)))));
}
