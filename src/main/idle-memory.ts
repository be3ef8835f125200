// What a start or a busy hour left in memory is given back when nothing happens: V8 collects when something is
// allocated, so an idle process would hold for hours what nobody asks for.
import type { Clock } from "../lib/clock.ts";
import type { Scope } from "../lib/scope.ts";

const lookMs = 10_000;
/** Of one core; above it somebody is served, who should not wait for a collection. */
const idleShareMax = 0.1;
/** What is worth a collection. */
const grownBytesMin = 4 * 2 ** 20;

export interface OwnMemory {
  /** Of the heap, what it has of the machine. */
  heapBytes(): number;
  /** Milliseconds of processor time, since the start. */
  busyMs(): number;
  collect(): void;
}

/** Undefined in a process that was not started by bin/kerb, which lets it collect. */
export function ownMemory(): OwnMemory | undefined {
  const { gc } = globalThis;
  if (!gc) return undefined;
  return {
    heapBytes: () => process.memoryUsage().heapTotal,
    busyMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    // V8's last resort is the one that also empties pools and forgets code that does not run.
    collect: () => gc({ type: "major", execution: "sync", flavor: "last-resort" }),
  };
}

export function keepIdleMemorySmall(
  clock: Clock,
  scope: Scope,
  memory: OwnMemory | undefined = ownMemory(),
) {
  if (!memory) return;
  let keptBytes = 0;
  let last = { at: clock.monotonic(), busyMs: memory.busyMs() };
  const look = () => {
    const now = { at: clock.monotonic(), busyMs: memory.busyMs() };
    const share = (now.busyMs - last.busyMs) / (now.at - last.at);
    last = now;
    if (share > idleShareMax || memory.heapBytes() < keptBytes + grownBytesMin) return;
    memory.collect();
    keptBytes = memory.heapBytes();
    last = { at: clock.monotonic(), busyMs: memory.busyMs() };
  };
  scope.defer(clock.every(lookMs, look));
}
