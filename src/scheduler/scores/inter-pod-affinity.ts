// Preferred affinity and anti-affinity, and the wishes of the pods already placed: their preferred
// terms, and their required affinity with a small weight, count for the newcomer too.
import type { AffinityTerm } from "../affinity-term.ts";
import { peersOf } from "../filters/inter-pod-affinity.ts";
import { byRange, type Score } from "../score.ts";
import type { PlacedPod } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Snapshot } from "../snapshot.ts";

const hardAffinityWeight = 1;

/** Topology key to topology value to the sum of weights. */
type Sums = Map<string, Map<string, number>>;

function credit(sums: Sums, term: AffinityTerm, at: PlacedPod, weight: number) {
  const value = at.node.labels[term.topologyKey];
  if (value === undefined) return;
  let values = sums.get(term.topologyKey);
  if (!values) sums.set(term.topologyKey, (values = new Map()));
  values.set(value, (values.get(value) ?? 0) + weight);
}

function sumsFor(pod: PodInfo, snapshot: Snapshot): Sums {
  const sums: Sums = new Map();
  const { namespaces } = snapshot;
  for (const term of pod.preferredAffinity) {
    for (const peer of peersOf(term, snapshot)) {
      if (term.matches(peer, namespaces)) credit(sums, term, peer, term.weight);
    }
  }
  for (const peer of snapshot.affine) {
    for (const term of peer.preferredAffinity) {
      if (term.matches(pod, namespaces)) credit(sums, term, peer, term.weight);
    }
    for (const term of peer.affinity) {
      if (term.matches(pod, namespaces)) credit(sums, term, peer, hardAffinityWeight);
    }
  }
  return sums;
}

export const preferredInterPodAffinity: Score = {
  name: "InterPodAffinity",
  weight: 2,
  prepare(pod, snapshot) {
    if (pod.preferredAffinity.length === 0 && snapshot.affine.size === 0) return undefined;
    const sums = sumsFor(pod, snapshot);
    if (sums.size === 0) return undefined;
    return (node) => {
      let score = 0;
      for (const [key, values] of sums) score += values.get(node.labels[key]!) ?? 0;
      return score;
    };
  },
  normalize: byRange,
};
