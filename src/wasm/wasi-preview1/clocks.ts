// clock_*: wall clock, monotonic, and the two of processor time.
import { FileError } from "../files/file-error.ts";
import type { Calls, Host } from "./guest.ts";

const resolutionNs = 1000n;

export function timeOf({ now, monotonic }: Pick<Host, "now" | "monotonic">, id: number): bigint {
  if (id === 0) return now();
  if (id === 1) return monotonic();
  if (id !== 2 && id !== 3) throw new FileError("EINVAL");
  const { user, system } = process.cpuUsage();
  return BigInt(user + system) * 1000n;
}

export function clockCalls(host: Host): Calls {
  const { memory } = host;
  return {
    clock_res_get(id: number, result: number) {
      timeOf(host, id);
      memory.u64(result, resolutionNs);
    },
    clock_time_get(id: number, _precision: bigint, result: number) {
      memory.u64(result, timeOf(host, id));
    },
  };
}
