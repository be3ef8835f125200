// proc_*, sched_yield and random_get.
import type { Calls, Host } from "./guest.ts";

const signalBase = 128;
const randomBytesMax = 65_536;

export function processCalls({ memory, random, exit }: Host): Calls {
  return {
    proc_exit(code: number) {
      exit(code >>> 0);
    },
    proc_raise(signal: number) {
      exit(signalBase + signal);
    },
    sched_yield() {},
    random_get(buffer: number, length: number) {
      const into = memory.bytes(buffer, length);
      for (let at = 0; at < into.length; at += randomBytesMax) {
        random(into.subarray(at, at + randomBytesMax));
      }
    },
  };
}
