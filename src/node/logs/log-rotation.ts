// Keeps a container's log within five files of ten mebibytes: the full one is renamed, the runtime opens a
// new one, and the oldest go. One that floods is looked at more often, since a file is as long as it took to look.
import { rename, rm, stat } from "node:fs/promises";
import type { Clock } from "../../lib/clock.ts";
import type { Scope } from "../../lib/scope.ts";
import type { AgentContext } from "../context.ts";
import { isRunning } from "../pods/instances.ts";
import type { Instance } from "../pods/instances.ts";
import { logFiles } from "./logs.ts";
import type { PodWorker } from "../pods/pod-worker.ts";

const fileBytesMax = 10 * 2 ** 20;
const filesMax = 5;
const everyMs = 10_000;
const floodedEveryMs = 1000;

/** Does nothing while the file is small; resolves with true when it was full. */
export async function rotateLog(
  path: string,
  { clock, reopen }: { clock: Clock; reopen: () => Promise<void> },
): Promise<boolean> {
  const size = await stat(path).then(
    (stats) => stats.size,
    () => 0,
  );
  if (size < fileBytesMax) return false;
  const time = new Date(clock.now()).toISOString().replace(/\D/g, "").slice(0, 17);
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
  return true;
}

export function startLogRotation(
  { runtime, clock, log }: AgentContext,
  workers: () => Iterable<PodWorker>,
  scope: Scope,
) {
  let turn: Promise<void> | undefined;
  const rotate = async ({ id, logPath: path }: Instance): Promise<boolean> => {
    try {
      return await rotateLog(path, { clock, reopen: () => runtime.reopenLog(id) });
    } catch (error) {
      log.warn("a log was not rotated", { path, error: String(error) });
      return false;
    }
  };
  const all = async () => {
    let wasFull = false;
    for (const { instances } of workers()) {
      for (const instance of instances.newest.values()) {
        if (!isRunning(instance) || !instance.logPath || scope.closed) continue;
        if (await rotate(instance)) wasFull = true;
      }
    }
    if (wasFull) clock.after(floodedEveryMs, look);
  };
  const look = () => {
    if (!scope.closed) turn ??= all().finally(() => (turn = undefined));
  };
  scope.defer(clock.every(everyMs, look));
}
