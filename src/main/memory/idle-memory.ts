// What a start or a busy hour left in memory is given back when nothing happens: V8 collects when something is
// allocated, so an idle process would hold for hours what nobody asks for. Pages go back with it (unused-pages.ts).
//
// Two collections, since while one runs nobody is answered, not even a pod that asks for a name. That of young objects is
// done by this thread alone within a millisecond or two and gives back most of what a busy moment took, so it is done
// whenever there is something. That of all objects takes a tenth of a second on a quiet machine, and as many times longer
// as there are others who want its processors: it is done seldom, after a time of quiet, and never where this process has
// to wait for a processor as it is.
import { readFileSync } from "node:fs";
import type { Clock } from "../../lib/clock.ts";
import type { Scope } from "../../lib/scope.ts";
import { giveBackUnusedPages } from "./unused-pages.ts";

const lookMs = 10_000;
/** Of one core; above it somebody is served, who should not wait for a collection. */
const idleShareMax = 0.1;
/** Of the time that it runs; above it others want the processors too. */
const waitingShareMax = 0.25;
/** So many looks in a row find it idle before it collects. */
const idleLooksMin = 2;
const restMs = 300_000;
/** What is worth a collection. */
const grownBytesMin = 4 * 2 ** 20;
/** What is worth one of young objects. */
const youngGrownBytesMin = 2 * 2 ** 20;

export interface OwnMemory {
  /** Of the heap, what it has of the machine. */
  heapBytes(): number;
  /** Milliseconds of processor time, since the start. */
  busyMs(): number;
  /** Milliseconds that it was ready to run and did not, since the start. */
  waitedMs(): number;
  collect(): void;
  collectYoung(): void;
  giveBack(): Promise<void>;
}

/** Of the thread that answers; 0 on a kernel that does not count it. */
function waitedMs(): number {
  try {
    return Number(readFileSync("/proc/self/schedstat", "utf8").split(" ")[1]) / 1e6;
  } catch {
    return 0;
  }
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
    waitedMs,
    // V8's last resort is the one that also empties pools and forgets code that does not run.
    collect: () => gc({ type: "major", execution: "sync", flavor: "last-resort" }),
    collectYoung: () => gc({ type: "minor", execution: "sync" }),
    giveBack: giveBackUnusedPages,
  };
}

export function keepIdleMemorySmall(
  clock: Clock,
  scope: Scope,
  memory: OwnMemory | undefined = ownMemory(),
) {
  if (!memory) return;
  let keptBytes = 0;
  let keptYoungBytes = 0;
  let idleLooks = 0;
  let collectedAt = Number.NEGATIVE_INFINITY;
  const read = () => ({
    at: clock.monotonic(),
    busyMs: memory.busyMs(),
    waitedMs: memory.waitedMs(),
  });
  let last = read();
  /** What was done since the look before, and whether it had to wait for a processor. */
  const sinceLook = () => {
    const before = last;
    last = read();
    const busyMs = last.busyMs - before.busyMs;
    return {
      isIdle: busyMs <= (last.at - before.at) * idleShareMax,
      isQuiet: last.waitedMs - before.waitedMs <= busyMs * waitingShareMax,
    };
  };
  const collectAll = () => {
    memory.collect();
    keptBytes = memory.heapBytes();
    collectedAt = last.at;
    // What it took is not what is to be collected next.
    last = read();
  };
  const look = () => {
    const { isIdle, isQuiet } = sinceLook();
    idleLooks = isIdle && isQuiet ? idleLooks + 1 : 0;
    if (!isIdle) return;
    const isTime = idleLooks >= idleLooksMin && last.at - collectedAt >= restMs;
    const heapBytes = memory.heapBytes();
    const hasGarbage = isTime && heapBytes >= keptBytes + grownBytesMin;
    const hasYoungGarbage = heapBytes >= keptYoungBytes + youngGrownBytesMin;
    if (hasGarbage) collectAll();
    else if (hasYoungGarbage) memory.collectYoung();
    if (hasGarbage || hasYoungGarbage) keptYoungBytes = memory.heapBytes();
    void memory.giveBack();
  };
  scope.defer(clock.every(lookMs, look));
}
