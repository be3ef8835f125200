import { resolvable, unresolvable, type Filter } from "../filter.ts";
import { domainCounts, spreadConstraints } from "../topology-spread.ts";

const skewed = resolvable("node(s) didn't match pod topology spread constraints");
const missing = unresolvable(
  "node(s) didn't match pod topology spread constraints (missing required label)",
);

export const topologySpread: Filter = {
  name: "PodTopologySpread",
  wakes: ["node", "pod-added", "pod-removed"],
  prepare(pod, snapshot) {
    const constraints = spreadConstraints(pod, "DoNotSchedule");
    if (constraints.length === 0) return undefined;
    const prepared = constraints.map((constraint) => {
      const counts = domainCounts(constraint, constraints, pod, snapshot);
      const least = counts.size < constraint.minDomains ? 0 : Math.min(...counts.values());
      return {
        key: constraint.topologyKey,
        counts,
        /** A domain may hold this many before the pod comes. */
        most: least + constraint.maxSkew - (constraint.matches(pod.labels) ? 1 : 0),
      };
    });
    return (node) => {
      for (const { key, counts, most } of prepared) {
        const domain = node.labels[key];
        if (domain === undefined) return missing;
        if ((counts.get(domain) ?? 0) > most) return skewed;
      }
      return undefined;
    };
  },
};
