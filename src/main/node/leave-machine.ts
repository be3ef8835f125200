// What a site or node has of its machine beside files, and how it is given back: by `kerb down`, and by a start that
// failed where nothing ran before.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { containerdPid, startContainerd, stopContainerd } from "../../containers/containerd.ts";
import { endShim, shimsIn } from "../../containers/orphan-shims.ts";
import { connectContainerd } from "../../containers/runtime.ts";
import { systemClock } from "../../lib/clock.ts";
import { familyOf, ipFamilies } from "../../lib/ip-range.ts";
import { silent } from "../../lib/log.ts";
import { runCommand } from "../../lib/run-command.ts";
import { systemCgroups } from "../../node/machine/cgroups.ts";
import { removeDirectRoutes } from "../../node/network/direct-link.ts";
import { removeRules } from "../../node/network/nft-changes.ts";
import { policyTableOf } from "../../node/network/policy.ts";
import { removeMovedRoutes } from "../../node/network/remove-moved-routes.ts";
import { closeNetwork } from "../../node/network/site-network.ts";
import { vxlanName } from "../../node/network/vxlan.ts";
import { endingPriorityOf } from "../../node/pods/grace.ts";
import type { RuntimePod } from "../../node/runtime.ts";
import { isRoot, slotsDirectory } from "../config.ts";
import { readIfThere } from "../files.ts";
import { addressesOf, familiesOf, isOthersSlot, readSettings } from "../site/site-settings.ts";
import type { SiteAddresses, SiteSettings } from "../site/site-settings.ts";
import { krustletCgroup } from "../wings/krustlet.ts";
import { besideProcesses, hasProcessPods, podNetworkOf } from "../wings/process-pods.ts";
import { unshareKubelet } from "./kubelet-directory.ts";
import {
  componentsDirectory,
  containerdDirectory,
  containerdPaths,
  vmsDirectory,
} from "./machine.ts";
import { joinedAddressesFile } from "./node-addresses.ts";
import { stopPod } from "./stop-pod.ts";

interface LeaveOptions {
  /** In the place of each pod's own. */
  gracePeriod?: number | undefined;
  tell?: (line: string) => void;
}

const counted = (pods: number) => `${pods} pod${pods === 1 ? "" : "s"}`;

/** True when containerd left containers that may run still. */
function hasTasks(folder: string): boolean {
  const tasks = join(folder, "state/io.containerd.runtime.v2.task/k8s.io");
  return existsSync(tasks) && readdirSync(tasks).length > 0;
}

/** Stops every pod; what they leave in the API comes back with the next `up`. */
async function stopWorkloads(directory: string, { gracePeriod, tell }: LeaveOptions) {
  const folder = containerdDirectory(directory);
  if (containerdPid(folder) === undefined) {
    if (!hasTasks(folder) && !hasProcessPods(directory)) return;
    // It was killed, and what it ran lives on.
    await startContainerd(containerdPaths(directory), systemClock);
  }
  const runtime = await besideProcesses(await connectContainerd(folder, silent), {
    directory,
    components: componentsDirectory(directory),
    machines: vmsDirectory(directory),
    network: podNetworkOf(directory, "IPv4"),
    clock: systemClock,
    log: silent,
  });
  const pods = [...(await runtime.pods()).values()];
  const running = pods.filter(({ sandboxes }) => sandboxes.length > 0).length;
  if (running > 0) tell?.(`stopping ${counted(running)} ...`);
  const priority = ({ containers }: RuntimePod) =>
    Math.max(0, ...containers.map((one) => endingPriorityOf(one.annotations)));
  const levels = [...Map.groupBy(pods, priority)].sort(([a], [b]) => a - b);
  for (const [, alike] of levels) {
    const stopping = alike.map((pod) =>
      stopPod({ runtime, pod, gracePeriod, clock: systemClock }).catch((error: Error) =>
        tell?.(`a pod that did not end is killed: ${error.message}`),
      ),
    );
    await Promise.all(stopping);
  }
  await runtime.close();
  await stopContainerd(folder, systemClock);
  for (const shim of await shimsIn(folder)) await endShim(shim);
  if (running > 0) tell?.(`stopped ${counted(running)}`);
}

/** Block devices of files below the folder. */
async function detachLoops(directory: string) {
  const list = await runCommand("losetup", [
    "--list",
    "--noheadings",
    "--output",
    "NAME,BACK-FILE",
  ]);
  for (const [, device, file] of list.matchAll(/^(\S+)\s+(.*)$/gm)) {
    if (file!.startsWith(`${directory}/`)) await runCommand("losetup", ["--detach", device!]);
  }
}

/** Mounts below the folder: volumes in memory, and what containers left. */
function unmountBelow(directory: string) {
  const mounts = readFileSync("/proc/self/mounts", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[1]?.replaceAll("\\040", " ") ?? "")
    .filter((path) => path.startsWith(`${directory}/`))
    .reverse();
  for (const path of mounts) {
    try {
      execFileSync("umount", ["--lazy", path], { stdio: "ignore" });
    } catch {
      // Somebody else was faster.
    }
  }
}

/** Those of a machine that joined are its site's. */
function clusterCidrs(directory: string, { slot, ranges }: SiteSettings): string[] {
  const joined = readIfThere(joinedAddressesFile(directory));
  const addresses: SiteAddresses = joined ? JSON.parse(joined) : addressesOf(slot, ranges);
  return familiesOf(addresses).map(({ clusterCidr }) => clusterCidr);
}

export async function leaveMachine(
  directory: string,
  settings: SiteSettings,
  options: LeaveOptions = {},
) {
  if (!isRoot) return;
  await stopWorkloads(directory, options);
  if (!isOthersSlot(slotsDirectory, directory, settings.slot)) await leaveSlot(directory, settings);
  unmountBelow(directory);
  await unshareKubelet();
  await detachLoops(directory).catch(() => {});
  rmSync(join(containerdDirectory(directory), "state"), { recursive: true, force: true });
}

/** Rules, interfaces, routes and groups, which are named by the slot. */
async function leaveSlot(directory: string, settings: SiteSettings) {
  const { bridge, nftTable, cgroup } = addressesOf(settings.slot);
  for (const table of [nftTable, policyTableOf(nftTable)]) {
    for (const family of ipFamilies) await removeRules(table, family).catch(() => {});
  }
  for (const link of [...ipFamilies.map((family) => vxlanName(bridge, family)), bridge])
    await closeNetwork(link).catch(() => {});
  const run = (command: string, args: string[]) => runCommand(command, args);
  for (const cidr of clusterCidrs(directory, settings)) {
    if (familyOf(cidr) === "IPv4") await removeMovedRoutes(cidr, run);
    await removeDirectRoutes(cidr, run).catch(() => {});
  }
  for (const root of [cgroup, krustletCgroup(cgroup)])
    await (await systemCgroups(root)).removeRoot();
}

/** A start that fails leaves the machine as it was: what ran before runs on, and nothing else does. */
export async function leftAsFound<T>(directory: string, start: () => Promise<T>): Promise<T> {
  const folder = containerdDirectory(directory);
  const didRun =
    containerdPid(folder) !== undefined || hasTasks(folder) || hasProcessPods(directory);
  try {
    return await start();
  } catch (error) {
    const settings = didRun ? undefined : readSettings(directory);
    if (settings) await leaveMachine(directory, settings).catch(() => {});
    throw error;
  }
}
