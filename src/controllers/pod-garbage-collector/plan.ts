// Which pods nobody else will remove.
import type { KubeObject } from "../../kinds/object.ts";
import type { Taint } from "../../lib/taint.ts";
import { byAge, hasFinished, isTerminating, isTrue } from "../pod-state.ts";

export type Reason = "orphaned" | "unscheduled" | "out-of-service" | "surplus";

export interface Input {
  pods: KubeObject[];
  nodes: KubeObject[];
  /** Names of nodes that have been missing for long enough to believe it. */
  vanished: ReadonlySet<string>;
  /** Finished pods that may stay. */
  finishedMax: number;
}

const outOfServiceTaint = "node.kubernetes.io/out-of-service";

const outOfService = (node: KubeObject) =>
  !isTrue(node, "Ready") &&
  (node.spec?.taints ?? []).some(({ key }: Taint) => key === outOfServiceTaint);

/** Evicted pods first, then the oldest. */
const byWorth = (a: KubeObject, b: KubeObject) => {
  const evicted = (pod: KubeObject) => (pod.status?.reason === "Evicted" ? 0 : 1);
  return evicted(a) - evicted(b) || byAge(a, b);
};

export function plan({ pods, nodes, vanished, finishedMax }: Input): Map<KubeObject, Reason> {
  const going = new Map<KubeObject, Reason>();
  const shut = new Set(nodes.filter(outOfService).map(({ metadata }) => metadata.name));
  for (const pod of pods) {
    const { nodeName } = pod.spec;
    if (nodeName && vanished.has(nodeName)) going.set(pod, "orphaned");
    else if (!nodeName && isTerminating(pod)) going.set(pod, "unscheduled");
    else if (shut.has(nodeName) && isTerminating(pod)) going.set(pod, "out-of-service");
  }
  const finished = pods.filter((pod) => hasFinished(pod) && !isTerminating(pod)).sort(byWorth);
  for (const pod of finished.slice(0, Math.max(finished.length - finishedMax, 0))) {
    if (!going.has(pod)) going.set(pod, "surplus");
  }
  return going;
}

/** Nodes that pods are on and that do not exist. */
export function missingNodes(pods: KubeObject[], nodes: KubeObject[]): Set<string> {
  const names = new Set(nodes.map(({ metadata }) => metadata.name));
  const missing = new Set<string>();
  for (const { spec } of pods) {
    if (spec.nodeName && !names.has(spec.nodeName)) missing.add(spec.nodeName);
  }
  return missing;
}
