// What is left of a pod that was removed from the API while nobody watched.
import { rm } from "node:fs/promises";
import { join } from "node:path";
import type { AgentContext } from "./context.ts";
import { removePodFiles } from "./pod-volumes.ts";
import type { RuntimePod } from "./runtime.ts";

const graceMs = 2000;

export async function stopOrphan(context: AgentContext, uid: string, pod: RuntimePod) {
  const { runtime, directories } = context;
  const running = pod.containers.filter(({ state }) => state === "running");
  await Promise.all(running.map(({ id }) => runtime.stopContainer(id, graceMs)));
  for (const { id, namespace, name } of pod.sandboxes) {
    await runtime.stopSandbox(id);
    await runtime.removeSandbox(id);
    const logs = join(directories.logs, `${namespace}_${name}_${uid}`);
    await rm(logs, { recursive: true, force: true });
  }
  await removePodFiles(context, uid);
}
