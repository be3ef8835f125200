// What a start or a busy hour left in memory is given back when nothing happens: V8 collects when something is
// allocated, so an idle process would hold for hours what nobody asks for. Pages go back with it (unused-pages.ts).
import type { Clock } from "../../lib/clock.ts";
import type { Scope } from "../../lib/scope.ts";
import { giveBackUnusedPages } from "./unused-pages.ts";

const lookMs = 10_000;
/** Of one core; above it somebody is served, who should not wait for a collection. */
const idleShareMax = 0.1;
/** What is worth a collection. */
const grownBytesMin = 4 * 2 ** 20;
/** What is worth to look for pages that are not needed. */
const residentGrownBytesMin = 8 * 2 ** 20;

export interface OwnMemory {
  /** Of the heap, what it has of the machine. */
  heapBytes(): number;
  residentBytes(): number;
  /** Milliseconds of processor time, since the start. */
  busyMs(): number;
  collect(): void;
  giveBack(): Promise<void>;
}

/** Undefined in a process that was not started by bin/kerb, which lets it collect. */
export function ownMemory(): OwnMemory | undefined {
  const { gc } = globalThis;
  if (!gc) return undefined;
  return {
    heapBytes: () => process.memoryUsage().heapTotal,
    residentBytes: () => process.memoryUsage.rss(),
    busyMs: () => {
      const { user, system } = process.cpuUsage();
      return (user + system) / 1000;
    },
    // V8's last resort is the one that also empties pools and forgets code that does not run.
    collect: () => gc({ type: "major", execution: "sync", flavor: "last-resort" }),
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
  /** What is needed is mapped again within one look, which is when it is counted. */
  let keptResidentBytes: number | undefined;
  let last = { at: clock.monotonic(), busyMs: memory.busyMs() };
  const look = () => {
    const now = { at: clock.monotonic(), busyMs: memory.busyMs() };
    const share = (now.busyMs - last.busyMs) / (now.at - last.at);
    last = now;
    if (share > idleShareMax) return;
    const residentBytes = memory.residentBytes();
    keptResidentBytes ??= residentBytes;
    const hasGarbage = memory.heapBytes() >= keptBytes + grownBytesMin;
    if (!hasGarbage && residentBytes < keptResidentBytes + residentGrownBytesMin) return;
    if (hasGarbage) {
      memory.collect();
      keptBytes = memory.heapBytes();
    }
    keptResidentBytes = undefined;
    void memory.giveBack();
    last = { at: clock.monotonic(), busyMs: memory.busyMs() };
  };
  scope.defer(clock.every(lookMs, look));
}
