// Node lifecycle, decided: which taints a node has, how long its pods may stay, and when the doubt is
// about the whole site rather than about its nodes.
import type { KubeObject } from "../../kinds/object.ts";
import { durationMs } from "../../lib/parse-duration.ts";
import { tolerates, type Taint, type Toleration } from "../../lib/taint.ts";
import { conditionOf, isTrue, type Condition } from "../pod-state.ts";

export const notReadyTaint = "node.kubernetes.io/not-ready";
export const unreachableTaint = "node.kubernetes.io/unreachable";
const unschedulableTaint = "node.kubernetes.io/unschedulable";

/** Condition type to the taint that each of its states means. */
const conditionTaints: [type: string, status: string, key: string][] = [
  ["Ready", "False", notReadyTaint],
  ["Ready", "Unknown", unreachableTaint],
  ["MemoryPressure", "True", "node.kubernetes.io/memory-pressure"],
  ["DiskPressure", "True", "node.kubernetes.io/disk-pressure"],
  ["PIDPressure", "True", "node.kubernetes.io/pid-pressure"],
  ["NetworkUnavailable", "True", "node.kubernetes.io/network-unavailable"],
];
const owned = new Set([...conditionTaints.map(([, , key]) => key), unschedulableTaint]);
const same = (a: Taint, b: Taint) => a.key === b.key && a.effect === b.effect;

/** The taints `node` should have; undefined when it has them. `evict` allows NoExecute ones. */
export function planTaints(
  node: KubeObject,
  { time, evict }: { time: string; evict: boolean },
): Taint[] | undefined {
  const present: Taint[] = node.spec?.taints ?? [];
  const wanted: Taint[] = [];
  for (const [type, status, key] of conditionTaints) {
    if (conditionOf(node, type)?.status !== status) continue;
    wanted.push({ key, effect: "NoSchedule" });
    if (type === "Ready" && evict) wanted.push({ key, effect: "NoExecute" });
  }
  if (node.spec?.unschedulable) wanted.push({ key: unschedulableTaint, effect: "NoSchedule" });
  const kept = present.filter(
    (taint) => !owned.has(taint.key) || wanted.some((other) => same(other, taint)),
  );
  const added = wanted.filter((taint) => !kept.some((other) => same(other, taint)));
  if (added.length === 0 && kept.length === present.length) return undefined;
  return [...kept, ...added.map((taint) => ({ ...taint, timeAdded: time }))];
}

/** Milliseconds that who tolerates this may stay with these taints; undefined for ever, 0 for none. */
export function evictionDelayMs(
  tolerations: readonly Toleration[] | undefined,
  taints: readonly Taint[],
): number | undefined {
  let delay: number | undefined;
  for (const taint of taints) {
    if (taint.effect !== "NoExecute") continue;
    const toleration = tolerations?.find((each) => tolerates(each, taint));
    if (!toleration) return 0;
    const seconds: number | undefined = toleration.tolerationSeconds ?? undefined;
    if (seconds === undefined) continue;
    delay = Math.min(delay ?? Number.POSITIVE_INFINITY, Math.max(0, seconds) * 1000);
  }
  return delay;
}

/** How long a node that is cut off may take care of its pods alone: `24h`, `forever`. */
export const autonomyAnnotation = "kerb.dev/autonomy-duration";

/** Milliseconds; what does not parse counts as nothing said. */
export function autonomyMs(node: KubeObject, otherwise: string | undefined): number {
  const [own, site] = [node.metadata.annotations?.[autonomyAnnotation], otherwise].map((text) =>
    text === "forever" ? Number.POSITIVE_INFINITY : durationMs(text),
  );
  return own ?? site ?? 0;
}

const zoneLabel = "topology.kubernetes.io/zone";
const unhealthyShare = 0.55;
const largeZone = 50;
const evictEveryMs = 10_000;
const evictEveryMsWhenMany = 100_000;

export const zoneOf = ({ metadata }: KubeObject) => metadata.labels?.[zoneLabel] ?? "";

/**
 * How often nodes of `zone` may be given an evicting taint; undefined for never. When no node of the
 * whole site is ready the doubt is about this process or its network, and nobody is evicted. When most
 * of a zone is down the same holds for that zone, unless it is large.
 */
export function evictionPaceMs(zone: string, nodes: readonly KubeObject[]): number | undefined {
  if (!nodes.some((node) => isTrue(node, "Ready"))) return undefined;
  const mine = nodes.filter((node) => zoneOf(node) === zone);
  const down = mine.filter((node) => !isTrue(node, "Ready")).length;
  const partial = down < mine.length && down > 2 && down / mine.length >= unhealthyShare;
  if (!partial) return evictEveryMs;
  return mine.length > largeZone ? evictEveryMsWhenMany : undefined;
}

/** The conditions of a node that fell silent. */
export function silentConditions(node: KubeObject, time: string): Condition[] {
  const known = ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"];
  return known
    .filter((type) => conditionOf(node, type)?.status !== "Unknown")
    .map((type) => {
      const before = conditionOf(node, type);
      return {
        type,
        status: "Unknown",
        reason: before ? "NodeStatusUnknown" : "NodeStatusNeverUpdated",
        message: before
          ? "Kubelet stopped posting node status."
          : "Kubelet never posted node status.",
        lastHeartbeatTime: before?.["lastHeartbeatTime"] ?? node.metadata.creationTimestamp,
        lastTransitionTime: time,
      };
    });
}
