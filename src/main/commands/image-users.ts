// Which pods an image is needed for: those that run it, or would again after a crash. Kerb may be stopped meanwhile.
import { join, resolve } from "node:path";
import type { Runtime, RuntimePod } from "../../node/runtime.ts";
import { Places } from "../../wasm/pods/places.ts";
import { podsOf } from "../../wasm/pods/records.ts";
import type { ContainerRecord, SandboxRecord } from "../../wasm/pods/records.ts";
import { processPodsDirectory } from "../wings/process-pods-settings.ts";
import { hasProcessPods } from "../wings/process-pods.ts";

/** As `namespace/name`, sorted. Pure. */
export function usersIn(pods: Iterable<RuntimePod>, imageId: string): string[] {
  const users = new Set<string>();
  for (const { sandboxes, containers } of pods) {
    const here = new Set(
      containers.filter((one) => one.imageId === imageId).map((one) => one.sandboxId),
    );
    // A pod that has ended has stopped its sandbox.
    for (const { id, ready, namespace, name } of sandboxes)
      if (ready && here.has(id)) users.add(`${namespace}/${name}`);
  }
  return [...users].sort();
}

function processPods(dataDir: string): Iterable<RuntimePod> {
  const directory = resolve(dataDir);
  if (!hasProcessPods(directory)) return [];
  const places = new Places(join(processPodsDirectory(directory)));
  const sandboxes = places.read<SandboxRecord>("sandboxes");
  return podsOf(sandboxes, places.read<ContainerRecord>("containers")).values();
}

export async function usersOf(
  dataDir: string,
  runtime: Pick<Runtime, "pods">,
  imageId: string,
): Promise<string[]> {
  const pods = await runtime.pods();
  return usersIn([...pods.values(), ...processPods(dataDir)], imageId);
}
