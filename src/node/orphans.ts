// What is left of pods that were removed from the API while nobody watched.
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentContext } from "./context.ts";
import { removePodFiles } from "./pod-volumes.ts";
import type { RuntimePod } from "./runtime.ts";

const graceMs = 2000;

async function stopOrphan(context: AgentContext, pod: RuntimePod) {
  const { runtime } = context;
  const running = pod.containers.filter(({ state }) => state === "running");
  await Promise.all(running.map(({ id }) => runtime.stopContainer(id, graceMs)));
  for (const { id } of pod.sandboxes) {
    await runtime.stopSandbox(id);
    await runtime.removeSandbox(id);
  }
}

const namesIn = (folder: string) => readdir(folder).catch((): string[] => []);

/** Files and cgroups of pods that nobody knows and that run nothing. */
async function removeLeftovers(context: AgentContext, isKnown: (podUid: string) => boolean) {
  const { directories, cgroups } = context;
  const folders = [join(directories.root, "pods"), directories.memory];
  const uids = new Set((await Promise.all(folders.map(namesIn))).flat());
  for (const uid of uids) if (!isKnown(uid)) await removePodFiles(context, uid);
  for (const name of await namesIn(directories.logs)) {
    const uid = name.slice(name.lastIndexOf("_") + 1);
    if (!isKnown(uid)) await rm(join(directories.logs, name), { recursive: true, force: true });
  }
  await cgroups.removeOthers(isKnown);
}

/** Ends what runs for pods that nobody knows, and removes what they left. */
export async function stopOrphans(
  context: AgentContext,
  running: Map<string, RuntimePod>,
  isKnown: (podUid: string) => boolean,
) {
  for (const [uid, pod] of running) {
    if (isKnown(uid)) continue;
    context.log.info("stopping what was left of a pod that is no more", { uid });
    await stopOrphan(context, pod);
  }
  await removeLeftovers(context, isKnown);
}
