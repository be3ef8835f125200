// How much is left of what a node can run out of, by kubelet's names.
import { readFile, statfs } from "node:fs/promises";
import { parseMeminfo } from "../machine/machine.ts";

export const signalNames = [
  "memory.available",
  "nodefs.available",
  "nodefs.inodesFree",
  "imagefs.available",
  "imagefs.inodesFree",
  "pid.available",
] as const;

export type Signal = (typeof signalNames)[number];

export interface Reading {
  available: number;
  capacity: number;
}

export type Readings = Record<Signal, Reading>;

const read = (path: string) => readFile(path, "utf8").catch(() => "");

async function folder(path: string) {
  const { bavail, blocks, bsize, ffree, files } = await statfs(path);
  return {
    bytes: { available: bavail * bsize, capacity: blocks * bsize },
    // Filesystems that make inodes as they need them count none.
    inodes: files > 0 ? { available: ffree, capacity: files } : unlimited,
  };
}

const unlimited: Reading = { available: Infinity, capacity: Infinity };

async function memory(): Promise<Reading> {
  const meminfo = parseMeminfo(await read("/proc/meminfo"));
  const capacity = meminfo.get("MemTotal");
  const available = meminfo.get("MemAvailable");
  return capacity && available !== undefined ? { available, capacity } : unlimited;
}

async function pids(): Promise<Reading> {
  const [pidMax, threadsMax, loadavg] = await Promise.all([
    read("/proc/sys/kernel/pid_max"),
    read("/proc/sys/kernel/threads-max"),
    read("/proc/loadavg"),
  ]);
  const capacity = Math.min(Number(pidMax) || Infinity, Number(threadsMax) || Infinity);
  const used = Number(loadavg.split(" ")[3]?.split("/")[1] ?? 0);
  return { available: capacity - used, capacity };
}

/** `directory` holds pods and their logs, `images` what the runtime keeps. */
export async function readSignals(directory: string, images = directory): Promise<Readings> {
  const [memoryLeft, nodefs, imagefs, pidsLeft] = await Promise.all([
    memory(),
    folder(directory),
    folder(images),
    pids(),
  ]);
  return {
    "memory.available": memoryLeft,
    "nodefs.available": nodefs.bytes,
    "nodefs.inodesFree": nodefs.inodes,
    "imagefs.available": imagefs.bytes,
    "imagefs.inodesFree": imagefs.inodes,
    "pid.available": pidsLeft,
  };
}
