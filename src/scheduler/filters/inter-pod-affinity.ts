// Required affinity and anti-affinity between pods, in all three directions: what the pod wants near,
// what it wants far, and who already there wants it far (symmetry). Counts per topology value are
// taken once per pod, over the pods that can matter.
import type { AffinityTerm } from "../affinity-term.ts";
import { resolvable, unresolvable, type Check, type Filter } from "../filter.ts";
import type { PlacedPod } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Snapshot } from "../snapshot.ts";

const notNear = unresolvable("node(s) didn't match pod affinity rules");
const tooNear = resolvable("node(s) didn't match pod anti-affinity rules");
const unwelcome = resolvable("node(s) didn't satisfy existing pods anti-affinity rules");

/** Placed pods a term may speak of. */
export function* peersOf(term: AffinityTerm, snapshot: Snapshot): Iterable<PlacedPod> {
  if (!term.namespaces) yield* snapshot.pods.values();
  else {
    for (const namespace of term.namespaces) {
      yield* snapshot.podsOfNamespace.get(namespace) ?? [];
    }
  }
}

/** Topology values that hold a pod for which every one of `terms` matches, one set per term. */
function placesOf(terms: AffinityTerm[], snapshot: Snapshot): Set<string>[] {
  const places = terms.map(() => new Set<string>());
  if (terms.length === 0) return places;
  for (const peer of peersOf(terms[0]!, snapshot)) {
    if (!peer.node.node) continue;
    if (!terms.every((term) => term.matches(peer, snapshot.namespaces))) continue;
    terms.forEach((term, i) => {
      const value = peer.node.labels[term.topologyKey];
      if (value !== undefined) places[i]!.add(value);
    });
  }
  return places;
}

/** The first of a group that wants to be together may go anywhere its topology keys exist. */
const isFirst = (pod: PodInfo, places: Set<string>[], snapshot: Snapshot) =>
  places.every((set) => set.size === 0) &&
  pod.affinity.every((term) => term.matches(pod, snapshot.namespaces));

function nearCheck(pod: PodInfo, snapshot: Snapshot): Check {
  const places = placesOf(pod.affinity, snapshot);
  const first = isFirst(pod, places, snapshot);
  return (node) => {
    for (let i = 0; i < places.length; i++) {
      const value = node.labels[pod.affinity[i]!.topologyKey];
      if (value === undefined) return notNear;
      if (!first && !places[i]!.has(value)) return notNear;
    }
    return undefined;
  };
}

function farCheck(pod: PodInfo, snapshot: Snapshot): Check {
  const places = pod.antiAffinity.map((term) => placesOf([term], snapshot)[0]!);
  return (node) => {
    for (let i = 0; i < places.length; i++) {
      const value = node.labels[pod.antiAffinity[i]!.topologyKey];
      if (value !== undefined && places[i]!.has(value)) return tooNear;
    }
    return undefined;
  };
}

/** Places where a pod stands that wants this one far away, as `key=value`. */
function unwelcomeCheck(pod: PodInfo, snapshot: Snapshot): Check | undefined {
  const closed = new Map<string, Set<string>>();
  for (const peer of snapshot.antiAffine) {
    const { labels } = peer.node;
    for (const term of peer.antiAffinity) {
      const value = labels[term.topologyKey];
      if (value === undefined || !term.matches(pod, snapshot.namespaces)) continue;
      const values = closed.get(term.topologyKey);
      if (values) values.add(value);
      else closed.set(term.topologyKey, new Set([value]));
    }
  }
  if (closed.size === 0) return undefined;
  return (node) => {
    for (const [key, values] of closed) {
      const value = node.labels[key];
      if (value !== undefined && values.has(value)) return unwelcome;
    }
    return undefined;
  };
}

export const interPodAffinity: Filter = {
  name: "InterPodAffinity",
  wakes: ["node", "pod-added", "pod-removed", "namespace"],
  prepare(pod, snapshot) {
    const checks: Check[] = [];
    if (pod.affinity.length > 0) checks.push(nearCheck(pod, snapshot));
    if (pod.antiAffinity.length > 0) checks.push(farCheck(pod, snapshot));
    const symmetric = snapshot.antiAffine.size > 0 && unwelcomeCheck(pod, snapshot);
    if (symmetric) checks.push(symmetric);
    if (checks.length === 0) return undefined;
    return (node) => {
      for (const check of checks) {
        const verdict = check(node);
        if (verdict) return verdict;
      }
      return undefined;
    };
  },
};
