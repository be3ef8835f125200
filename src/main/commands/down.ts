// `kerb down`: ends Kerb, then the workloads it left running, then what the site had of the machine.
import { execFileSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join, resolve } from "node:path";
import type { DownOptions } from "../../cli/down.ts";
import { containerdPid, startContainerd, stopContainerd } from "../../containers/containerd.ts";
import { connectContainerd } from "../../containers/runtime.ts";
import { systemClock } from "../../lib/clock.ts";
import { familyOf, ipFamilies } from "../../lib/ip-range.ts";
import { runCommand } from "../../lib/run-command.ts";
import { silent } from "../../lib/log.ts";
import { systemCgroups } from "../../node/machine/cgroups.ts";
import { endingContainerOf, endingPriorityOf, graceSecondsOf } from "../../node/pods/grace.ts";
import { removeRules } from "../../node/network/nft-changes.ts";
import { policyTableOf } from "../../node/network/policy.ts";
import { removeMovedRoutes } from "../../node/network/remove-moved-routes.ts";
import { vxlanName } from "../../node/network/vxlan.ts";
import { closeNetwork } from "../../node/network/site-network.ts";
import type { Runtime, RuntimePod } from "../../node/runtime.ts";
import { stopContainer } from "../../node/pods/stop-container.ts";
import { isRoot } from "../config.ts";
import { readIfThere } from "../files.ts";
import { krustletCgroup } from "../wings/krustlet.ts";
import { containerdDirectory, containerdPaths } from "../node/machine.ts";
import { unshareKubelet } from "../node/kubelet-directory.ts";
import { giveUpChange, readConfiguration, writeConfiguration } from "../configuration/state.ts";
import { giveUp, readState, writeState } from "../releases/state.ts";
import { findRunning, removeRunFile, runs } from "../run-file.ts";
import { joinedAddressesFile } from "../node/node-addresses.ts";
import { addressesOf, familiesOf, readSettings } from "../site/site-settings.ts";
import type { SiteAddresses, SiteSettings } from "../site/site-settings.ts";

const stopMsMax = 20_000;

const pause = (ms: number) => new Promise<void>((done) => void systemClock.after(ms, done));

async function stopKerb(directory: string) {
  const running = findRunning(directory);
  if (!running) return false;
  process.kill(running.pid, "SIGTERM");
  const killAt = systemClock.monotonic() + stopMsMax;
  while (runs(running)) {
    if (systemClock.monotonic() > killAt) process.kill(running.pid, "SIGKILL");
    await pause(20);
  }
  removeRunFile(directory);
  return true;
}

/** Ends a pod's containers by their hooks and within their grace, then the pod. */
async function stopPod(runtime: Runtime, pod: RuntimePod, gracePeriod: number | undefined) {
  const running = pod.containers.filter(({ state }) => state === "running");
  const hooked = running.some(
    ({ name, annotations }) => endingContainerOf(name, annotations).lifecycle,
  );
  const detail = hooked ? await runtime.pod(pod.sandboxes[0]?.podUid ?? "") : undefined;
  const podIp = detail?.sandboxes.find(({ ready }) => ready)?.ips[0] ?? "127.0.0.1";
  const { signal } = new AbortController();
  await Promise.all(
    running.map(({ id, name, annotations }) =>
      stopContainer({
        ...{ runtime, clock: systemClock, signal, id, podIp },
        container: endingContainerOf(name, annotations),
        graceMs: (gracePeriod ?? graceSecondsOf(annotations)) * 1000,
      }),
    ),
  );
  for (const { id } of pod.sandboxes) {
    await runtime.stopSandbox(id);
    await runtime.removeSandbox(id);
  }
}

/** True when containerd left containers that may run still. */
function hasTasks(folder: string): boolean {
  const tasks = join(folder, "state/io.containerd.runtime.v2.task/k8s.io");
  return existsSync(tasks) && readdirSync(tasks).length > 0;
}

/** Stops every pod; what they leave in the API comes back with the next `up`. */
async function stopWorkloads(directory: string, gracePeriod: number | undefined) {
  const folder = containerdDirectory(directory);
  if (containerdPid(folder) === undefined) {
    if (!hasTasks(folder)) return 0;
    // It was killed, and what it ran lives on.
    await startContainerd(containerdPaths(directory), systemClock);
  }
  const runtime = await connectContainerd(folder, silent);
  const pods = [...(await runtime.pods()).values()];
  const running = pods.filter(({ sandboxes }) => sandboxes.length > 0).length;
  if (running > 0) console.log(`stopping ${running} pod${running === 1 ? "" : "s"} ...`);
  const priority = ({ containers }: RuntimePod) =>
    Math.max(0, ...containers.map((one) => endingPriorityOf(one.annotations)));
  const levels = [...Map.groupBy(pods, priority)].sort(([a], [b]) => a - b);
  for (const [, alike] of levels) {
    await Promise.all(alike.map((pod) => stopPod(runtime, pod, gracePeriod)));
  }
  await runtime.close();
  await stopContainerd(folder, systemClock);
  return running;
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

/** What is tried was not ready; whoever watches it starts nothing again. */
function giveUpTrials(directory: string, why: string) {
  const state = readState(directory);
  if (state?.trying) writeState(directory, giveUp(state, why));
  const configuration = readConfiguration(directory);
  if (configuration.trying) writeConfiguration(directory, giveUpChange(configuration, why));
}

/** Those of a machine that joined are its site's. */
function clusterCidrs(directory: string, { slot, ranges }: SiteSettings): string[] {
  const joined = readIfThere(joinedAddressesFile(directory));
  const addresses: SiteAddresses = joined ? JSON.parse(joined) : addressesOf(slot, ranges);
  const all = familiesOf(addresses).map(({ clusterCidr }) => clusterCidr);
  return all.filter((cidr) => familyOf(cidr) === "IPv4");
}

export async function down(options: DownOptions): Promise<number> {
  const directory = resolve(options.dataDir);
  const settings = readSettings(directory);
  if (!settings) {
    console.log(`there is no site in ${directory}`);
    return existsSync(directory) ? 0 : 1;
  }
  giveUpTrials(directory, "the site was stopped before it was ready");
  const stopped = await stopKerb(directory);
  console.log(
    stopped ? `stopped Kerb (${settings.name})` : `Kerb was not running (${settings.name})`,
  );
  if (options.keepWorkloads || !isRoot) return 0;
  const pods = await stopWorkloads(directory, options.gracePeriod);
  if (pods > 0) console.log(`stopped ${pods} pod${pods === 1 ? "" : "s"}`);
  const { bridge, nftTable, cgroup } = addressesOf(settings.slot);
  for (const table of [nftTable, policyTableOf(nftTable)]) {
    for (const family of ipFamilies) await removeRules(table, family).catch(() => {});
  }
  for (const link of [...ipFamilies.map((family) => vxlanName(bridge, family)), bridge])
    await closeNetwork(link).catch(() => {});
  for (const cidr of clusterCidrs(directory, settings)) await removeMovedRoutes(cidr, runCommand);
  for (const root of [cgroup, krustletCgroup(cgroup)])
    await (await systemCgroups(root)).removeRoot();
  unmountBelow(directory);
  await unshareKubelet();
  await detachLoops(directory).catch(() => {});
  rmSync(join(containerdDirectory(directory), "state"), { recursive: true, force: true });
  return 0;
}
