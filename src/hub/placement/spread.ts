// Takes clusters one by one, best first, so that no topology gets more than `maxSkew` ahead of the emptiest.
// DoNotSchedule leaves a cluster out for that; ScheduleAnyway only lets others go first.
import { claimsOf } from "./model.ts";
import type { ManagedCluster, SpreadConstraint } from "./model.ts";

interface Topology {
  hard: boolean;
  maxSkew: number;
  valueOf: (cluster: ManagedCluster) => string | undefined;
  counts: Map<string, number>;
}

function topologyOf(constraint: SpreadConstraint, clusters: ManagedCluster[]): Topology {
  const { topologyKey, topologyKeyType, maxSkew = 1, whenUnsatisfiable } = constraint;
  const valueOf = (cluster: ManagedCluster) =>
    (topologyKeyType === "Claim" ? claimsOf(cluster) : cluster.metadata.labels)?.[topologyKey];
  const values = clusters.map(valueOf).filter((value) => value !== undefined);
  return {
    hard: whenUnsatisfiable === "DoNotSchedule",
    maxSkew,
    valueOf,
    counts: new Map(values.map((value) => [value, 0])),
  };
}

function violates({ valueOf, counts, maxSkew }: Topology, cluster: ManagedCluster): boolean {
  const value = valueOf(cluster);
  if (value === undefined) return true;
  return counts.get(value)! + 1 - Math.min(...counts.values()) > maxSkew;
}

/** At most `count` of `ranked` (best first), in the order taken. */
export function spread(
  ranked: ManagedCluster[],
  constraints: SpreadConstraint[],
  count: number,
): ManagedCluster[] {
  if (constraints.length === 0) return ranked.slice(0, count);
  const topologies = constraints.map((constraint) => topologyOf(constraint, ranked));
  const hard = topologies.filter((topology) => topology.hard);
  const soft = topologies.filter((topology) => !topology.hard);
  const left = new Set(ranked);
  const taken: ManagedCluster[] = [];
  while (taken.length < count) {
    let best: { cluster: ManagedCluster; faults: number } | undefined;
    for (const cluster of left) {
      if (hard.some((topology) => violates(topology, cluster))) continue;
      const faults = soft.filter((topology) => violates(topology, cluster)).length;
      if (!best || faults < best.faults) best = { cluster, faults };
      if (faults === 0) break;
    }
    if (!best) break;
    left.delete(best.cluster);
    taken.push(best.cluster);
    for (const { valueOf, counts } of topologies) {
      const value = valueOf(best.cluster);
      if (value !== undefined) counts.set(value, counts.get(value)! + 1);
    }
  }
  return taken;
}
