// Spreading that is wished for, not demanded: ScheduleAnyway constraints, and for the pods of one
// ReplicaSet or StatefulSet without constraints of their own a built-in wish to stand on different
// nodes. Siblings are counted as pods come and go, so the built-in wish costs one look-up per node.
import { scoreMax, type Score } from "../score.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Snapshot } from "../snapshot.ts";
import { domainCounts, spreadConstraints } from "../topology-spread.ts";

/** Nodes that lack a topology key are out of the comparison. */
const ignored = -1;

function bySiblings(pod: PodInfo, snapshot: Snapshot) {
  const counts = pod.siblings && snapshot.siblings.get(pod.siblings);
  return counts ? (node: NodeInfo) => counts.get(node) ?? 0 : undefined;
}

export const topologySpreadPreference: Score = {
  name: "PodTopologySpread",
  weight: 2,
  prepare(pod, snapshot, nodes) {
    if (!pod.pod.spec?.topologySpreadConstraints?.length) return bySiblings(pod, snapshot);
    const constraints = spreadConstraints(pod, "ScheduleAnyway");
    if (constraints.length === 0) return undefined;
    const prepared = constraints.map((constraint) => {
      const counts = domainCounts(constraint, constraints, pod, snapshot);
      const domains = new Set(nodes.map((node) => node.labels[constraint.topologyKey]));
      domains.delete(undefined);
      return { constraint, counts, weight: Math.log(domains.size + 2) };
    });
    return (node) => {
      let score = 0;
      for (const { constraint, counts, weight } of prepared) {
        const domain = node.labels[constraint.topologyKey];
        if (domain === undefined) return ignored;
        score += (counts.get(domain) ?? 0) * weight + constraint.maxSkew - 1;
      }
      return Math.round(score);
    };
  },
  normalize(scores) {
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (const score of scores) {
      if (score === ignored) continue;
      if (score < least) least = score;
      if (score > most) most = score;
    }
    for (let i = 0; i < scores.length; i++) {
      if (scores[i] === ignored) scores[i] = 0;
      else if (most === 0) scores[i] = scoreMax;
      else scores[i] = Math.trunc((scoreMax * (most + least - scores[i]!)) / most);
    }
  },
};
