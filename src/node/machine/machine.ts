// What this machine is and has, as a Node's status tells it.
import { readFile, statfs } from "node:fs/promises";
import { arch, availableParallelism, release, type as systemName } from "node:os";

import { hugePageAmounts, hugePagesOf } from "./huge-pages.ts";

export const podsMax = 110;
/** Kept for the system when pods are placed. */
const reservedBytes = 100 * 2 ** 20;

export interface MachineFacts {
  capacity: Record<string, string>;
  allocatable: Record<string, string>;
  memoryBytes: number;
  appArmor: boolean;
  nodeInfo: Record<string, unknown>;
}

const read = (path: string) =>
  readFile(path, "utf8").then(
    (text) => text.trim(),
    () => "",
  );

/** Kubernetes' (Go's) name of this processor. */
export const goArch = () => ({ x64: "amd64", ia32: "386" })[arch() as string] ?? arch();

/** Bytes by key, from /proc/meminfo. */
export function parseMeminfo(text: string): Map<string, number> {
  const lines = [...text.matchAll(/^(\w+):\s+(\d+) kB$/gm)];
  return new Map(lines.map(([, key, value]) => [key!, Number(value) * 1024]));
}

function prettyName(osRelease: string): string {
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(osRelease)?.[1] ?? "Linux";
}

const uuidForm = (id: string) => id.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");

async function nodeInfo(runtimeVersion: string, version: string) {
  const [machineId, bootId, osRelease, productUuid] = await Promise.all([
    read("/etc/machine-id"),
    read("/proc/sys/kernel/random/boot_id"),
    read("/etc/os-release"),
    read("/sys/class/dmi/id/product_uuid"),
  ]);
  return {
    machineID: machineId,
    systemUUID: productUuid || uuidForm(machineId),
    bootID: bootId,
    kernelVersion: release(),
    osImage: prettyName(osRelease),
    containerRuntimeVersion: runtimeVersion,
    kubeletVersion: version,
    kubeProxyVersion: "",
    operatingSystem: systemName().toLowerCase(),
    architecture: goArch(),
  };
}

export async function machineFacts(options: {
  directory: string;
  runtimeVersion: string;
  version: string;
  reservedCpus?: number;
}): Promise<MachineFacts> {
  const { directory, runtimeVersion, version, reservedCpus = 0 } = options;
  const [meminfo, disk, hugePages, appArmor, info] = await Promise.all([
    read("/proc/meminfo"),
    statfs(directory),
    hugePagesOf(),
    read("/sys/module/apparmor/parameters/enabled"),
    nodeInfo(runtimeVersion, version),
  ]);
  const memoryBytes = parseMeminfo(meminfo).get("MemTotal") ?? 0;
  const diskBytes = disk.blocks * disk.bsize;
  const shared = { cpu: String(availableParallelism()), pods: String(podsMax) };
  const kib = (bytes: number) => `${Math.floor(bytes / 1024)}Ki`;
  const pages = hugePageAmounts(hugePages);
  const pinnedBytes = hugePages.reduce((sum, { bytes }) => sum + bytes, 0);
  return {
    memoryBytes,
    appArmor: appArmor === "Y",
    capacity: {
      ...shared,
      memory: kib(memoryBytes),
      "ephemeral-storage": kib(diskBytes),
      ...pages,
    },
    allocatable: {
      ...shared,
      cpu: String(Math.max(availableParallelism() - reservedCpus, 0)),
      memory: kib(Math.max(memoryBytes - reservedBytes - pinnedBytes, 0)),
      "ephemeral-storage": String(Math.floor(diskBytes * 0.9)),
      ...pages,
    },
    nodeInfo: info,
  };
}
