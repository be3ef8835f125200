// poll_oneoff: waits for clocks and descriptors. The wait is one that a signal ends at once.
import { FileError } from "../files/file-error.ts";
import { pause } from "../files/open-file.ts";
import { timeOf } from "./clocks.ts";
import { errno, errnoOf } from "./errno.ts";
import type { Calls, Host } from "./guest.ts";

const subscriptionBytes = 48;
const eventBytes = 32;
const subscriptionsMax = 4096;
const absoluteTime = 1;
const types = { clock: 0, read: 1, write: 2 };

interface Subscription {
  userdata: bigint;
  type: number;
  /** Monotonic nanoseconds at which a clock is due. */
  dueAt?: bigint;
  fd?: number;
}

function read(host: Host, at: number): Subscription {
  const { view } = host.memory;
  const userdata = view.getBigUint64(at, true);
  const type = view.getUint8(at + 8);
  if (type !== types.clock) return { userdata, type, fd: view.getUint32(at + 16, true) };
  const id = view.getUint32(at + 16, true);
  const timeout = view.getBigUint64(at + 24, true);
  const isAbsolute = (view.getUint16(at + 40, true) & absoluteTime) !== 0;
  const wait = isAbsolute ? timeout - timeOf(host, id) : timeout;
  return { userdata, type, dueAt: host.monotonic() + wait };
}

/** errno of a descriptor that is ready, which all are but for their faults: reads of streams wait by themselves. */
function stateOf({ descriptors }: Host, { fd = 0 }: Subscription): number {
  try {
    descriptors.file(fd);
    return errno["SUCCESS"]!;
  } catch (error) {
    return errnoOf(error);
  }
}

const millisecondsMax = 2 ** 31 - 1;

function waitUntil({ monotonic }: Host, dueAt: bigint) {
  for (let left = dueAt - monotonic(); left > 0n; left = dueAt - monotonic()) {
    pause(Math.min(Number(left) / 1e6, millisecondsMax));
  }
}

export function pollCalls(host: Host): Calls {
  const { memory, monotonic } = host;
  return {
    poll_oneoff(input: number, output: number, count: number, result: number) {
      if (count === 0) throw new FileError("EINVAL");
      if (count >>> 0 > subscriptionsMax) throw new FileError("ENOMEM");
      const all = Array.from({ length: count }, (_, i) =>
        read(host, (input >>> 0) + i * subscriptionBytes),
      );
      const isReady = ({ dueAt }: Subscription) => dueAt === undefined || dueAt <= monotonic();
      if (!all.some(isReady)) {
        host.beforeWait?.();
        const first = all.map(({ dueAt }) => dueAt!).reduce((a, b) => (a < b ? a : b));
        waitUntil(host, first);
      }
      const ready = all.filter(isReady);
      for (const [i, one] of ready.entries()) {
        const at = (output >>> 0) + i * eventBytes;
        memory.bytes(at, eventBytes).fill(0);
        memory.u64(at, one.userdata);
        memory.u16(at + 8, one.type === types.clock ? 0 : stateOf(host, one));
        memory.u8(at + 10, one.type);
        if (one.type !== types.clock) memory.u64(at + 16, 1n);
      }
      memory.u32(result, ready.length);
    },
  };
}
