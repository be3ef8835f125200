// Topology spread constraints, shared by the filter (DoNotSchedule) and the score (ScheduleAnyway).
import { compileSelector, type Matcher } from "../lib/label-selector.ts";
import { repelling, untoleratedTaint } from "../lib/taint.ts";
import { nodeMatcher } from "./filters/node-affinity.ts";
import type { NodeInfo } from "./node-info.ts";
import type { PodInfo } from "./pod-info.ts";
import type { Snapshot } from "./snapshot.ts";

export interface SpreadConstraint {
  topologyKey: string;
  maxSkew: number;
  minDomains: number;
  matches: Matcher;
  /** Whether a node's domain counts, by nodeAffinityPolicy and nodeTaintsPolicy. */
  includes(node: NodeInfo): boolean;
}

function inclusion(raw: any, pod: PodInfo, suits: ((node: NodeInfo) => boolean) | undefined) {
  const byAffinity = (raw.nodeAffinityPolicy ?? "Honor") === "Honor" ? suits : undefined;
  const byTaints = raw.nodeTaintsPolicy === "Honor";
  return (node: NodeInfo) =>
    (!byAffinity || byAffinity(node)) &&
    (!byTaints || !untoleratedTaint(node.taints, pod.tolerations, repelling));
}

export function spreadConstraints(pod: PodInfo, whenUnsatisfiable: string): SpreadConstraint[] {
  const all: any[] = pod.pod.spec?.topologySpreadConstraints ?? [];
  const mine = all.filter((raw) => raw.whenUnsatisfiable === whenUnsatisfiable);
  if (mine.length === 0) return mine;
  const suits = nodeMatcher(pod);
  return mine.map((raw) => {
    const ownValues = (raw.matchLabelKeys ?? [])
      .filter((key: string) => pod.labels[key] !== undefined)
      .map((key: string) => ({ key, operator: "In", values: [pod.labels[key]!] }));
    const selector = raw.labelSelector && {
      ...raw.labelSelector,
      matchExpressions: [...(raw.labelSelector.matchExpressions ?? []), ...ownValues],
    };
    return {
      topologyKey: raw.topologyKey,
      maxSkew: raw.maxSkew,
      minDomains: raw.minDomains ?? 1,
      matches: compileSelector(selector),
      includes: inclusion(raw, pod, suits),
    };
  });
}

/** How many matching pods each domain of `constraint` holds; domains without any count 0. */
export function domainCounts(
  constraint: SpreadConstraint,
  constraints: SpreadConstraint[],
  pod: PodInfo,
  snapshot: Snapshot,
): Map<string, number> {
  const counts = new Map<string, number>();
  const counted = (node: NodeInfo) =>
    constraints.every((other) => node.labels[other.topologyKey] !== undefined) &&
    constraint.includes(node);
  for (const node of snapshot.nodes) {
    if (counted(node)) counts.set(node.labels[constraint.topologyKey]!, 0);
  }
  for (const peer of snapshot.podsOfNamespace.get(pod.namespace) ?? []) {
    const { node } = peer;
    if (!node.node || peer.pod.metadata.deletionTimestamp) continue;
    if (!constraint.matches(peer.labels) || !counted(node)) continue;
    const domain = node.labels[constraint.topologyKey]!;
    counts.set(domain, counts.get(domain)! + 1);
  }
  return counts;
}
