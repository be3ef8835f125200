// What the whole machine uses, of which /proc tells.
import { readFile } from "node:fs/promises";
import type { Used } from "../../lib/node-connection.ts";
import { parseMeminfo } from "./machine.ts";

/** USER_HZ: what the kernel tells of times is in hundredths of a second on every machine that Kerb knows. */
const tickNanoseconds = 10_000_000;

/** Time all processors were busy, from the first line of /proc/stat. Pure. */
export function busyNanoseconds(stat: string): number {
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0, steal = 0] =
    /^cpu +(.*)$/m.exec(stat)?.[1]?.split(" ").map(Number) ?? [];
  return (user + nice + system + irq + softirq + steal) * tickNanoseconds;
}

export async function machineUsage(): Promise<Used> {
  const [stat, meminfo] = await Promise.all([
    readFile("/proc/stat", "utf8"),
    readFile("/proc/meminfo", "utf8"),
  ]);
  const memory = parseMeminfo(meminfo);
  const workingSetBytes = (memory.get("MemTotal") ?? 0) - (memory.get("MemAvailable") ?? 0);
  return { cpuNanoseconds: busyNanoseconds(stat), workingSetBytes };
}
