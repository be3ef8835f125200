// The cgroups above a pod's containers, on cgroup v1, hybrid and v2: the site's root, one for each class of
// service, one for each pod. The runtime makes those of containers, below. Shares make the classes give way
// to each other as upstream has it: all pods together weigh as many processors as the node gives them, guaranteed
// pods what they ask for, burstable ones together what they ask for, the rest as little as can be.
import { access, mkdir, readFile, readdir, rmdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { podRequests } from "../../lib/pod-requests.ts";
import type { Pod } from "../pods/pod.ts";
import { allContainers } from "../pods/pod.ts";
import { amountIn, qosClassOf } from "../../lib/qos-class.ts";
import { readUsage } from "./cgroup-usage.ts";
import type { CgroupUsage } from "./cgroup-usage.ts";
import { DelegatedCgroups } from "./delegated-cgroups.ts";
import { cgroupParent, cpuPeriod, cpuQuota, cpuShares } from "./resources.ts";

export interface Limits {
  cpuShares: number;
  cpuQuota?: number;
  memoryBytes?: number;
  pidsMax?: number;
}

/** Where the cgroup of a pod lies that has another than that of its uid. */
export type Elsewhere = (podUid: string) => string | undefined;

export interface Cgroups {
  /** Where a pod's cgroup lies now: it may be one that was there before its pod. */
  pathOf(pod: Pod): string;
  /** Makes a pod's cgroup and sets its limits; resolves with where. Idempotent. */
  prepare(pod: Pod): Promise<string>;
  /** Raises its limits to those of `pod` and lowers none, so that its containers may grow first. */
  grow(pod: Pod): Promise<void>;
  /** Takes it away, once its containers have ended. Idempotent. */
  remove(pod: Pod): Promise<void>;
  /** How many processes and threads a pod has; 0 where nobody counts them. */
  processes(pod: Pod): Promise<number>;
  /** What its cgroup counts of one of its containers. */
  usage(pod: Pod, containerId: string): Promise<CgroupUsage>;
  /** Takes away those of pods that nobody knows. */
  removeOthers(isKnown: (podUid: string) => boolean): Promise<void>;
  /** Takes away all of the site's, once nothing runs in them. */
  removeRoot(): Promise<void>;
}

/** A pod that forks without end ends there, and not the node. */
const podPidsMax = 4096;

/** A sum that exists only when every container says something. */
function sumOfLimits(pod: Pod, resource: string): number | undefined {
  const level = amountIn(pod.spec["resources"]?.limits, resource);
  if (level !== undefined) return level;
  let sum = 0;
  for (const { resources } of allContainers(pod)) {
    const limit = amountIn(resources?.limits, resource);
    if (!limit) return undefined;
    sum += limit;
  }
  return sum;
}

/** With what the pod's runtime takes for itself, as its class says. */
function withOverhead(pod: Pod, resource: string, limit: number | undefined): number | undefined {
  if (limit === undefined) return undefined;
  return limit + (amountIn(pod.spec["overhead"], resource) ?? 0);
}

/** Of a whole pod. Pure. */
export function podLimits(pod: Pod): Limits {
  const cpu = withOverhead(pod, "cpu", sumOfLimits(pod, "cpu"));
  const memoryBytes = withOverhead(pod, "memory", sumOfLimits(pod, "memory"));
  return {
    cpuShares: cpuShares(podRequests(pod.spec).get("cpu") ?? 0),
    pidsMax: podPidsMax,
    ...(cpu !== undefined && { cpuQuota: cpuQuota(cpu) }),
    ...(memoryBytes !== undefined && { memoryBytes }),
  };
}

/** v2's weight of v1's shares, as the runtimes convert it. */
const weightOf = (shares: number) => 1 + Math.floor(((shares - 2) * 9999) / 262_142);

export type Version = "v1" | "v2";

/** Controller, file and content of each setting. Pure. */
export function settingsOf(version: Version, limits: Partial<Limits>): [string, string, string][] {
  const { cpuShares: shares, cpuQuota: quota, memoryBytes, pidsMax } = limits;
  const settings: [string, string, string | number | undefined][] =
    version === "v2"
      ? [
          ["cpu", "cpu.weight", shares && String(weightOf(shares))],
          ["cpu", "cpu.max", quota && `${quota} ${cpuPeriod}`],
          ["memory", "memory.max", memoryBytes && String(memoryBytes)],
          ["pids", "pids.max", pidsMax],
        ]
      : [
          ["cpu", "cpu.shares", shares && String(shares)],
          ["cpu", "cpu.cfs_period_us", quota && String(cpuPeriod)],
          ["cpu", "cpu.cfs_quota_us", quota && String(quota)],
          ["memory", "memory.limit_in_bytes", memoryBytes && String(memoryBytes)],
          ["pids", "pids.max", pidsMax],
        ];
  return settings.flatMap(([controller, file, value]) =>
    value ? [[controller, file, String(value)]] : [],
  );
}

/** True when `value` allows more than `now`: `max`, -1 and what comes first count. Pure. */
export function raises(now: string, value: string): boolean {
  const limit = (text: string) => {
    const [first = ""] = text.trim().split(" ");
    return first === "max" || first === "-1" ? Infinity : Number(first);
  };
  return limit(value) > limit(now);
}

const classes = ["", "burstable", "besteffort"];
const removeTriesMax = 20;

const exists = (path: string) =>
  access(path).then(
    () => true,
    () => false,
  );

class SystemCgroups implements Cgroups {
  readonly #mount: string;
  readonly #root: string;
  readonly #version: Version;
  /** Which hierarchies this machine has. */
  readonly #there = new Map<string, Promise<boolean>>();
  /** Of all pods together. */
  readonly #shares: number | undefined;
  #rootReady: Promise<void> | undefined;
  /** Shares of the burstable pods that were prepared, by uid. */
  readonly #burstable = new Map<string, number>();
  readonly #delegated: DelegatedCgroups;
  readonly #elsewhere: Elsewhere;

  constructor(
    root: string,
    version: Version,
    { mount, elsewhere, milliCpu }: { mount: string; elsewhere: Elsewhere; milliCpu?: number },
  ) {
    this.#shares = milliCpu && cpuShares(milliCpu);
    this.#mount = mount;
    this.#root = root;
    this.#version = version;
    this.#delegated = new DelegatedCgroups(mount);
    this.#elsewhere = elsewhere;
  }

  pathOf(pod: Pod) {
    return this.#elsewhere(pod.metadata.uid) ?? cgroupParent(this.#root, pod);
  }

  async prepare(pod: Pod) {
    const limits = podLimits(pod);
    const qos = qosClassOf(pod.spec);
    await (this.#rootReady ??= this.#weighRoot());
    if (qos === "BestEffort") await this.#apply(join(this.#root, "besteffort"), { cpuShares: 2 });
    if (qos === "Burstable") {
      this.#burstable.set(pod.metadata.uid, limits.cpuShares);
      await this.#weighBurstable();
    }
    const path = this.pathOf(pod);
    await this.#apply(path, limits);
    return path;
  }

  async grow(pod: Pod) {
    const path = this.pathOf(pod);
    for (const [controller, file, value] of settingsOf(this.#version, podLimits(pod))) {
      const folder = await this.#make(controller, path);
      if (!folder) continue;
      const now = await readFile(join(folder, file), "utf8").catch(() => "");
      if (raises(now, value)) await writeFile(join(folder, file), value).catch(() => {});
    }
  }

  async remove(pod: Pod) {
    if (this.#burstable.delete(pod.metadata.uid)) await this.#weighBurstable();
    const own = cgroupParent(this.#root, pod);
    for (const path of new Set([own, this.pathOf(pod)])) await this.#removeAll(path);
  }

  async processes(pod: Pod) {
    const hierarchy = this.#version === "v2" ? this.#mount : join(this.#mount, "pids");
    const file = join(hierarchy, this.pathOf(pod), "pids.current");
    return Number(await readFile(file, "utf8").catch(() => 0));
  }

  usage(pod: Pod, containerId: string) {
    const path = join(this.pathOf(pod), containerId);
    const read = (controller: string, file: string) => {
      const hierarchy = this.#version === "v2" ? this.#mount : join(this.#mount, controller);
      return readFile(join(hierarchy, path, file), "utf8").catch(() => "");
    };
    return readUsage(read);
  }

  async removeOthers(isKnown: (podUid: string) => boolean) {
    const hierarchies = await this.#hierarchies();
    for (const path of classes.map((name) => join(this.#root, name))) {
      const listed = hierarchies.map((one) => readdir(join(one, path)).catch(() => []));
      for (const name of new Set((await Promise.all(listed)).flat())) {
        const uid = /^pod(.+)$/.exec(name)?.[1];
        if (uid && !isKnown(uid)) await this.#removeAll(join(path, name));
      }
    }
  }

  removeRoot() {
    return this.#removeAll(this.#root);
  }

  async #weighRoot() {
    if (this.#shares) await this.#apply(this.#root, { cpuShares: this.#shares });
  }

  #weighBurstable() {
    const shares = [...this.#burstable.values()].reduce((sum, one) => sum + one, 0);
    return this.#apply(join(this.#root, "burstable"), { cpuShares: Math.max(shares, 2) });
  }

  async #apply(path: string, limits: Partial<Limits>) {
    const settings = Map.groupBy(settingsOf(this.#version, limits), ([controller]) => controller);
    // One after the other: while the kernel moves processes each would wait with a thread that others need.
    for (const [controller, files] of settings) {
      const folder = await this.#make(controller, path);
      if (!folder) continue;
      // In their order: a quota counts in periods.
      for (const [, file, value] of files)
        await writeFile(join(folder, file), value).catch(() => {});
    }
  }

  /** Where the machine does not have a controller, there is nothing to set. */
  async #make(controller: string, path: string): Promise<string | undefined> {
    const hierarchy = this.#version === "v2" ? this.#mount : join(this.#mount, controller);
    this.#there.set(hierarchy, this.#there.get(hierarchy) ?? exists(hierarchy));
    if (!(await this.#there.get(hierarchy))) return undefined;
    const folder = join(hierarchy, path);
    if (this.#version === "v1") await mkdir(folder, { recursive: true });
    else await this.#delegated.make(path);
    return folder;
  }

  async #hierarchies(): Promise<string[]> {
    if (this.#version === "v2") return [this.#mount];
    const entries = await readdir(this.#mount, { withFileTypes: true });
    return entries.filter((one) => one.isDirectory()).map((one) => join(this.#mount, one.name));
  }

  async #removeAll(path: string): Promise<void> {
    for (const one of await this.#hierarchies()) await removeTree(join(one, path));
  }
}

/** Removes a cgroup and those below it; a process that is just ending may hold one for a moment. */
async function removeTree(path: string) {
  const entries = await readdir(path, { withFileTypes: true }).catch(() => []);
  for (const one of entries) if (one.isDirectory()) await removeTree(join(path, one.name));
  for (let tries = 0; tries < removeTriesMax && (await exists(path)); tries++) {
    await rmdir(path).catch(() => {});
  }
}

export interface CgroupsOptions {
  mount?: string;
  elsewhere?: Elsewhere;
  /** Thousandths of processors that the node gives its pods: what they weigh beside all else on the machine. */
  milliCpu?: number;
}

/** The machine's cgroups; everything of the site lies below `root`. */
export async function systemCgroups(
  root: string,
  { mount = "/sys/fs/cgroup", elsewhere = () => undefined, milliCpu }: CgroupsOptions = {},
): Promise<Cgroups> {
  const version = (await exists(join(mount, "cgroup.controllers"))) ? "v2" : "v1";
  const path = `/${root.replace(/^\/+|\/+$/g, "")}`;
  return new SystemCgroups(path, version, { mount, elsewhere, ...(milliCpu && { milliCpu }) });
}

/** Without root, or with a runtime that has no processes. */
export const noCgroups: Cgroups = {
  grow: async () => {},
  pathOf: () => "",
  prepare: async () => "",
  processes: async () => 0,
  usage: async () => ({}),
  remove: async () => {},
  removeOthers: async () => {},
  removeRoot: async () => {},
};
