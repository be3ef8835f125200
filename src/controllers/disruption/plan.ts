// What a PodDisruptionBudget allows now (KEP-85 and pkg/controller/disruption). Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { intOrPercent } from "../int-or-percent.ts";
import { hasFinished, isReady, isTerminating, withCondition } from "../pod-state.ts";

/** How long an evicted pod may take to be marked as deleted before the eviction counts as failed. */
export const evictionMsMax = 2 * 60_000;

export interface Seen {
  budget: KubeObject;
  /** The pods that the budget selects. */
  pods: KubeObject[];
  /** How many pods their controllers want; undefined when one cannot be told. */
  wanted: number | undefined;
  nowMs: number;
  now: string;
}

/** The evictions that have been granted and not yet seen. */
function pendingEvictions({ budget, pods, nowMs }: Seen): Record<string, string> {
  const byName = new Map(pods.map((pod) => [pod.metadata.name, pod]));
  const disrupted: Record<string, string> = budget.status?.disruptedPods ?? {};
  return Object.fromEntries(
    Object.entries(disrupted).filter(([name, at]) => {
      const pod = byName.get(name);
      return pod && !isTerminating(pod) && Date.parse(at) + evictionMsMax > nowMs;
    }),
  );
}

/** How many pods there should be, and how many of them must be healthy. */
function demanded({
  budget: { spec },
  pods,
  wanted,
}: Seen): { expected: number; healthy: number } | undefined {
  const { minAvailable, maxUnavailable } = spec;
  if (maxUnavailable === undefined && typeof minAvailable === "number") {
    return { expected: pods.length, healthy: minAvailable };
  }
  if (wanted === undefined) return undefined;
  const share = (value: number | string) =>
    intOrPercent(value, wanted, { roundUp: true, otherwise: 0 });
  if (maxUnavailable !== undefined) {
    return { expected: wanted, healthy: Math.max(0, wanted - share(maxUnavailable)) };
  }
  return { expected: wanted, healthy: minAvailable === undefined ? 0 : share(minAvailable) };
}

/** The budget's next status. */
export function planDisruption(seen: Seen): KubeObject["status"] {
  const { budget, now } = seen;
  const pods = seen.pods.filter((pod) => !hasFinished(pod));
  const need = demanded({ ...seen, pods });
  const disruptedPods = pendingEvictions(seen);
  const counts = (pod: KubeObject) =>
    isReady(pod) && !isTerminating(pod) && !(pod.metadata.name in disruptedPods);
  const currentHealthy = pods.filter(counts).length;
  const allowed = need && need.expected > 0 ? Math.max(0, currentHealthy - need.healthy) : 0;
  const condition = {
    type: "DisruptionAllowed",
    status: allowed > 0 ? ("True" as const) : ("False" as const),
    reason: need ? (allowed > 0 ? "SufficientPods" : "InsufficientPods") : "SyncFailed",
    message: need ? "" : "the controllers of the pods do not tell how many pods they want",
    observedGeneration: budget.metadata.generation,
  };
  return {
    observedGeneration: budget.metadata.generation,
    ...(Object.keys(disruptedPods).length > 0 && { disruptedPods }),
    disruptionsAllowed: allowed,
    currentHealthy,
    desiredHealthy: need?.healthy ?? 0,
    expectedPods: need?.expected ?? 0,
    conditions: withCondition(budget.status?.conditions, condition, now),
  };
}

/** Milliseconds until a granted eviction that nobody saw is given back; undefined without any. Pure. */
export function nextLookMs(status: KubeObject["status"], nowMs: number): number | undefined {
  const times = Object.values((status?.disruptedPods ?? {}) as Record<string, string>);
  if (times.length === 0) return undefined;
  return Math.max(0, Math.min(...times.map((at) => Date.parse(at))) + evictionMsMax - nowMs);
}
