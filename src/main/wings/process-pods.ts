// Pods of modules, and those that fill disks, beside all others. What runs them is loaded by the first of them, since
// most machines have none.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import type { PodNetworksOptions } from "../../containers/pod-networks.ts";
import type { IpFamily } from "../../lib/ip-range.ts";
import { joinRuntimes } from "../../node/joined-runtime.ts";
import type { Runtime } from "../../node/runtime.ts";
import { isDiskPod } from "../../vms/disks/task.ts";
import { handlers } from "../../wasm/handlers.ts";
import { processPodsDirectory } from "./process-pods-settings.ts";
import type { ProcessPodsSettings } from "./process-pods-settings.ts";

/** True when such pods may run still. */
export function hasProcessPods(directory: string): boolean {
  const sandboxes = join(processPodsDirectory(directory), "sandboxes");
  return existsSync(sandboxes) && readdirSync(sandboxes).length > 0;
}

/** That of containerd's pods. */
export function podNetworkOf(directory: string, podFamily: IpFamily): PodNetworksOptions {
  const containerd = join(directory, "containerd");
  return { directory: containerd, plugins: join(containerd, "cni-plugins"), podFamily };
}

/** The machine's runtime, and beside it that of modules where the machine can, from the first such pod on. */
export async function besideProcesses(
  runtime: Runtime,
  settings: ProcessPodsSettings,
): Promise<Runtime> {
  const { log, directory } = settings;
  const open = async () => {
    try {
      const { openProcessPods } = await import("./open-process-pods.ts");
      return await openProcessPods(runtime, settings);
    } catch (error) {
      log.warn("pods of modules and of disks are run by containerd", { error: String(error) });
      return undefined;
    }
  };
  const joined = joinRuntimes(runtime, {
    mayRun: (config) => handlers.includes(config.handler) || isDiskPod(config),
    open,
    log,
  });
  if (hasProcessPods(directory)) await joined.open();
  return joined.runtime;
}
