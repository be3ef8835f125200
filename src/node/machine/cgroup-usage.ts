// What a container's cgroup counts that its runtime does not tell, on cgroup v1 and v2.

export interface CgroupUsage {
  /** Of its quota of processor time: how many there were, and how many it used up. */
  periods?: number;
  throttledPeriods?: number;
  throttledSeconds?: number;
  cacheBytes?: number;
  swapBytes?: number;
  mappedBytes?: number;
  /** And threads. */
  processes?: number;
}

/** `name value` a line. */
function table(text: string) {
  const rows = new Map<string, number>();
  for (const line of text.split("\n")) {
    const [name, value] = line.split(" ");
    if (name && value !== undefined) rows.set(name, Number(value));
  }
  return rows;
}

/** Only what is there. Pure. */
export function usageOf(cpu: string, memory: string, pids: string): CgroupUsage {
  const [time, bytes] = [table(cpu), table(memory)];
  const nanoseconds = time.get("throttled_time") ?? (time.get("throttled_usec") ?? NaN) * 1000;
  const usage = {
    periods: time.get("nr_periods"),
    throttledPeriods: time.get("nr_throttled"),
    throttledSeconds: nanoseconds / 1e9,
    // v1 counts the cgroups below in rows of their own.
    cacheBytes: bytes.get("total_cache") ?? bytes.get("file"),
    swapBytes: bytes.get("total_swap") ?? bytes.get("swap"),
    mappedBytes: bytes.get("total_mapped_file") ?? bytes.get("file_mapped"),
    processes: pids.trim() === "" ? undefined : Number(pids),
  };
  const known = Object.entries(usage).filter(([, value]) => Number.isFinite(value));
  return Object.fromEntries(known) as CgroupUsage;
}

export async function readUsage(
  read: (controller: string, file: string) => Promise<string>,
): Promise<CgroupUsage> {
  const [cpu, memory, pids] = await Promise.all([
    read("cpu", "cpu.stat"),
    read("memory", "memory.stat"),
    read("pids", "pids.current"),
  ]);
  return usageOf(cpu, memory, pids);
}
