// Looks every ten seconds whether the node runs out of memory, disk or process numbers. What can be had back
// without harm (dead containers, unused images) goes first, then one pod at a time, as `plan.ts` chooses.
import type { Clock } from "../../lib/clock.ts";
import type { Scope } from "../../lib/scope.ts";
import type { AgentContext } from "../context.ts";
import type { PodWorker } from "../pods/pod-worker.ts";
import type { Ending } from "../pods/ending.ts";
import { hasDiskLimits, overLimit } from "./local-limits.ts";
import { evictionOf, ranked, shortageOf } from "./plan.ts";
import type { Pressure, Shortage } from "./plan.ts";
import type { Readings } from "./signals.ts";
import { metThresholds } from "./thresholds.ts";
import type { Threshold } from "./thresholds.ts";
import { containerStats, diskUseOf, podUse } from "./usage.ts";

const everyMs = 10_000;
/** A shortage that has just ended counts this long still, so that pods do not come and go with it. */
export const defaultTransitionMs = 300_000;

export interface EvictionOptions {
  thresholds: Threshold[];
  transitionMs: number;
  read: () => Promise<Readings>;
}

const shortages: Shortage[] = ["memory", "disk", "pids"];

/** Remembers when each shortage was last seen. */
export class PressureWatch {
  readonly #clock: Clock;
  readonly #options: EvictionOptions;
  readonly #seenAt = new Map<Shortage, number>();

  constructor(clock: Clock, options: EvictionOptions) {
    this.#clock = clock;
    this.#options = options;
  }

  /** Looks now; resolves with what is short, and what counts so still. */
  async look(): Promise<{ readings: Readings; met: Threshold[] }> {
    const { thresholds, read } = this.#options;
    const readings = await read();
    const met = metThresholds(thresholds, readings);
    for (const { signal } of met) this.#seenAt.set(shortageOf(signal), this.#clock.monotonic());
    return { readings, met };
  }

  pressure(): Pressure {
    const now = this.#clock.monotonic();
    const recent = (one: Shortage) => {
      const seenAt = this.#seenAt.get(one);
      return seenAt !== undefined && now - seenAt < this.#options.transitionMs;
    };
    return { memory: recent("memory"), disk: recent("disk"), pids: recent("pids") };
  }
}

export interface ManagerOptions {
  watch: PressureWatch;
  context: AgentContext;
  workers: () => Iterable<PodWorker>;
  evict: (worker: PodWorker, why: Ending) => void;
  /** Frees what nobody needs; resolves with true when there was something. */
  reclaim: () => Promise<boolean>;
  scope: Scope;
}

const mayGo = ({ state }: PodWorker) => !state.ending && !state.gone && !state.finished;

async function keepDiskLimits({ context, workers, evict }: ManagerOptions) {
  const watched = [...workers()].filter((one) => mayGo(one) && hasDiskLimits(one.pod));
  if (watched.length === 0) return;
  const stats = await containerStats(context);
  for (const worker of watched) {
    const why = overLimit(worker.pod, (await diskUseOf(context, worker, stats)).disk);
    if (why && mayGo(worker)) evict(worker, why);
  }
}

/** One turn. At most one pod goes, since what it frees may be enough. */
async function relieve(options: ManagerOptions) {
  const { watch, context, workers, evict, reclaim } = options;
  const { readings, met } = await watch.look();
  await keepDiskLimits(options);
  const onDisk = met.some(({ signal }) => shortageOf(signal) === "disk");
  if (met.length === 0 || (onDisk && (await reclaim()))) return;
  // One that is on its way out may be all it takes.
  if (
    [...workers()].some(
      ({ state }) => state.ending?.disrupted && !state.finished && state.busy.size > 0,
    )
  )
    return;
  const stats = await containerStats(context);
  const candidates = [...workers()].filter(mayGo);
  const uses = await Promise.all(
    candidates.map((worker) => podUse(context, worker, { stats, withDisk: onDisk })),
  );
  // Memory first: it is what stalls the whole node.
  const [threshold] = met.toSorted(
    (a, b) => shortages.indexOf(shortageOf(a.signal)) - shortages.indexOf(shortageOf(b.signal)),
  );
  const [first] = ranked(uses, threshold!.signal);
  const worker = first && candidates.find(({ pod }) => pod.metadata.uid === first.pod.metadata.uid);
  if (!worker) return;
  context.metrics.evicted(threshold!.signal);
  evict(worker, evictionOf(first, threshold!, readings[threshold!.signal]));
}

export function startEviction(options: ManagerOptions) {
  const { context, scope } = options;
  let turn: Promise<void> | undefined;
  const look = () => {
    turn ??= relieve(options)
      .catch((error) => context.log.warn("pressure was not relieved", { error: String(error) }))
      .finally(() => (turn = undefined));
  };
  scope.defer(context.clock.every(everyMs, look));
}
