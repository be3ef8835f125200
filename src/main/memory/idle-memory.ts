// What a start or a busy hour left in memory is given back when nothing happens: V8 collects when something is
// allocated, so an idle process would hold for hours what nobody asks for. Pages go back with it (unused-pages.ts).
//
// While it collects nobody is answered, not even a pod that asks for a name. So there are three collections, by their
// price. That of young objects is done by this thread alone within a millisecond or two and gives back most of what a
// busy moment took: it is done whenever there is something. One of all objects stops it for some hundredths of a second,
// and for a tenth where a dozen others want each processor: after twenty idle seconds, every five minutes at most. The
// thorough one, which also forgets code that does not run, takes four times as long: it stands in for the other where
// this process did not have to wait for a processor.
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
/** What is worth it. */
const grownBytesMin = { young: 2 * 2 ** 20, all: 4 * 2 ** 20, thorough: 4 * 2 ** 20 };

export type Collection = "young" | "all" | "thorough";

export interface OwnMemory {
  /** Of the heap, what it has of the machine. */
  heapBytes(): number;
  /** Milliseconds of processor time, since the start. */
  busyMs(): number;
  /** Milliseconds that it was ready to run and did not, since the start. */
  waitedMs(): number;
  collect(which: Collection): void;
  giveBack(): Promise<void>;
}

const asked = {
  young: { type: "minor", execution: "sync" },
  all: { type: "major", execution: "sync" },
  thorough: { type: "major", execution: "sync", flavor: "last-resort" },
} as const;

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
    collect: (which) => gc(asked[which]),
    giveBack: giveBackUnusedPages,
  };
}

export function keepIdleMemorySmall(
  clock: Clock,
  scope: Scope,
  memory: OwnMemory | undefined = ownMemory(),
) {
  if (!memory) return;
  /** What each left, and with it those that do more. */
  const keptBytes = { young: 0, all: 0, thorough: 0 };
  let idleLooks = 0;
  let quietLooks = 0;
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
  const dueNow = (): Collection => {
    if (idleLooks < idleLooksMin || last.at - collectedAt < restMs) return "young";
    return quietLooks < idleLooksMin ? "all" : "thorough";
  };
  const collect = (which: Collection) => {
    memory.collect(which);
    const left = memory.heapBytes();
    keptBytes.young = left;
    if (which === "young") return;
    keptBytes.all = left;
    if (which === "thorough") keptBytes.thorough = left;
    collectedAt = last.at;
    // What it took is not what was done in the time until the next look.
    last = read();
  };
  const look = () => {
    const { isIdle, isQuiet } = sinceLook();
    idleLooks = isIdle ? idleLooks + 1 : 0;
    quietLooks = isIdle && isQuiet ? quietLooks + 1 : 0;
    if (!isIdle) return;
    const isWorth = (which: Collection) =>
      memory.heapBytes() >= keptBytes[which] + grownBytesMin[which];
    const due = dueNow();
    if (isWorth(due)) collect(due);
    else if (isWorth("young")) collect("young");
    void memory.giveBack();
  };
  scope.defer(clock.every(lookMs, look));
}
