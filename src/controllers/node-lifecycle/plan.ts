// Node lifecycle, decided: what the taints of a node are, and which of its pods have outstayed them. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { conditionOf } from "../pod-state.ts";

export interface Taint {
  key: string;
  value?: string;
  effect: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
  timeAdded?: string;
}

export const notReadyTaint = "node.kubernetes.io/not-ready";
export const unreachableTaint = "node.kubernetes.io/unreachable";

/** Condition type to the taint that each of its states means. */
const conditionTaints: [type: string, status: string, key: string][] = [
  ["Ready", "False", notReadyTaint],
  ["Ready", "Unknown", unreachableTaint],
  ["MemoryPressure", "True", "node.kubernetes.io/memory-pressure"],
  ["DiskPressure", "True", "node.kubernetes.io/disk-pressure"],
  ["PIDPressure", "True", "node.kubernetes.io/pid-pressure"],
  ["NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"],
];
const unschedulableTaint = "node.kubernetes.io/unschedulable";
const owned = new Set([...conditionTaints.map(([, , key]) => key), unschedulableTaint]);

/** The taints that `node` should have; the same array when it has them. `evict` adds NoExecute ones. */
export function planTaints(node: KubeObject, { time, evict }: { time: string; evict: boolean }) {
  const present: Taint[] = node.spec?.taints ?? [];
  const wanted: Taint[] = [];
  const want = (key: string, effect: Taint["effect"]) =>
    wanted.push(
      present.find((taint) => taint.key === key && taint.effect === effect) ?? {
        key,
        effect,
        timeAdded: time,
      },
    );
  for (const [type, status, key] of conditionTaints) {
    if (conditionOf(node, type)?.status !== status) continue;
    want(key, "NoSchedule");
    if (type === "Ready" && evict) want(key, "NoExecute");
  }
  if (node.spec?.unschedulable) want(unschedulableTaint, "NoSchedule");
  const kept = present.filter(
    ({ key, effect }) => !owned.has(key) || keepsEviction(key, effect, wanted, evict),
  );
  const next = [...kept, ...wanted.filter((taint) => !kept.includes(taint))];
  const same = next.length === present.length && next.every((taint) => present.includes(taint));
  return same ? present : next;
}

/** In full disruption nothing is added, and what evicts already stays only while its cause does. */
const keepsEviction = (key: string, effect: string, wanted: Taint[], evict: boolean) =>
  !evict && effect === "NoExecute" && wanted.some((taint) => taint.key === key);

/** Milliseconds until `pod` must leave a node with these taints; undefined for never, 0 for now. */
export function evictionDelayMs(pod: KubeObject, taints: Taint[]): number | undefined {
  const executing = taints.filter(({ effect }) => effect === "NoExecute");
  let delay: number | undefined;
  for (const taint of executing) {
    const tolerating = (pod.spec.tolerations ?? []).filter((toleration: any) =>
      tolerates(toleration, taint),
    );
    if (tolerating.length === 0) return 0;
    for (const { tolerationSeconds } of tolerating) {
      if (tolerationSeconds === undefined || tolerationSeconds === null) continue;
      delay = Math.min(delay ?? Number.POSITIVE_INFINITY, Math.max(0, tolerationSeconds) * 1000);
    }
  }
  return delay;
}

function tolerates(toleration: any, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === "Exists") return true;
  return toleration.key === taint.key && (toleration.value ?? "") === (taint.value ?? "");
}
