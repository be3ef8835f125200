// ReplicaSet, decided: how many pods to make, which to delete, and what the status says. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import {
  availableInMs,
  byAge,
  conditionOf,
  hasFinished,
  isReady,
  isTerminating,
  withCondition,
} from "../pod-state.ts";
import type { Condition } from "../pod-state.ts";

/** Pods created or deleted in one pass at most. */
export const burstMax = 500;
const deletionCost = "controller.kubernetes.io/pod-deletion-cost";

export interface Plan {
  create: number;
  delete: KubeObject[];
}

const phaseRank: Record<string, number> = { Pending: 0, Unknown: 1, Running: 2 };
const costOf = (pod: KubeObject) => Number(pod.metadata.annotations?.[deletionCost] ?? 0) || 0;
const restartsOf = (pod: KubeObject) =>
  Math.max(0, ...(pod.status?.containerStatuses ?? []).map((c: any) => c.restartCount ?? 0));

/** Wall clock; 0 when it is not ready or does not say since when. */
const readySince = (pod: KubeObject) =>
  isReady(pod) ? Date.parse(conditionOf(pod, "Ready")?.lastTransitionTime ?? "") || 0 : 0;

/**
 * Which of two pods goes first when there are too many (ActivePodsWithRanks): unscheduled, then
 * pending, not ready, cheap, from crowded nodes, recently ready, restarted often, young.
 */
function deletionOrder(crowd: Map<string, number>) {
  const rank = (pod: KubeObject) => [
    pod.spec.nodeName ? 1 : 0,
    phaseRank[pod.status?.phase ?? "Pending"] ?? 1,
    isReady(pod) ? 1 : 0,
    costOf(pod),
    -(crowd.get(pod.spec.nodeName ?? "") ?? 0),
    -readySince(pod),
    -restartsOf(pod),
  ];
  return (a: KubeObject, b: KubeObject) => {
    const [left, right] = [rank(a), rank(b)];
    for (let i = 0; i < left.length; i++) if (left[i] !== right[i]) return left[i]! - right[i]!;
    return -byAge(a, b);
  };
}

/** `pods` are the set's own; those that end or have ended do not count. */
export function planReplicas(set: KubeObject, pods: KubeObject[]): Plan {
  const wanted: number = set.spec.replicas ?? 1;
  const active = pods.filter((pod) => !isTerminating(pod) && !hasFinished(pod));
  const missing = wanted - active.length;
  if (missing >= 0) return { create: Math.min(missing, burstMax), delete: [] };
  const crowd = new Map<string, number>();
  for (const { spec } of active) {
    if (spec.nodeName) crowd.set(spec.nodeName, (crowd.get(spec.nodeName) ?? 0) + 1);
  }
  const doomed = [...active].sort(deletionOrder(crowd)).slice(0, -missing);
  return { create: 0, delete: doomed.slice(0, burstMax) };
}

/** The new status, and when availability changes by time alone. */
export function replicaStatus(
  set: KubeObject,
  pods: KubeObject[],
  {
    now,
    time,
    failure,
  }: { now: number; time: string; failure?: { reason: string; message: string } },
) {
  const templateLabels = Object.entries(set.spec.template?.metadata?.labels ?? {});
  const minReady: number = set.spec.minReadySeconds ?? 0;
  const active = pods.filter((pod) => !isTerminating(pod) && !hasFinished(pod));
  const terminating = pods.filter((pod) => isTerminating(pod) && !hasFinished(pod)).length;
  const waits = active.map((pod) => availableInMs(pod, minReady, now));
  const labeled = active.filter((pod) =>
    templateLabels.every(([key, value]) => pod.metadata.labels?.[key] === value),
  );
  const known: Condition[] = set.status?.conditions ?? [];
  const others = known.filter((c) => c.type !== "ReplicaFailure");
  // One that stands is left as it is: every try fails for another pod's name, and writing that down would
  // be the next reason to try.
  const stands = others.length < known.length;
  const withFailure = () =>
    withCondition(known, { type: "ReplicaFailure", status: "True", ...failure! }, time);
  const conditions = !failure ? others : stands ? known : withFailure();
  const status = {
    replicas: active.length,
    fullyLabeledReplicas: labeled.length,
    readyReplicas: active.filter(isReady).length,
    availableReplicas: waits.filter((ms) => ms === 0).length,
    ...(set.kind === "ReplicaSet" && { terminatingReplicas: terminating }),
    observedGeneration: set.metadata.generation,
    conditions,
  };
  const later = waits.filter((ms): ms is number => ms !== undefined && ms > 0);
  return { status, wakeAfterMs: later.length > 0 ? Math.min(...later) : undefined };
}
