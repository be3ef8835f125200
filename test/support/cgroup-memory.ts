// What the kernel says of a container's memory, on cgroup v1 and v2.
import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Limits of a container's memory and of its pod's, and what is counted, by the lines of its `/proc/PID/cgroup`. */
export function memoryOf(lines: string[]): number[] {
  const v1 = lines.find((line) => line.includes(":memory:"));
  const path = (v1 ?? lines.find((line) => line.startsWith("0::")))!.split(":")[2]!;
  const folder = join("/sys/fs/cgroup", v1 ? "memory" : "", path);
  const [limit, usage] = v1
    ? ["memory.limit_in_bytes", "memory.usage_in_bytes"]
    : ["memory.max", "memory.current"];
  const files = [join(folder, limit), join(folder, "..", limit), join(folder, usage)];
  return files.map((file) => Number(readFileSync(file, "utf8")));
}
