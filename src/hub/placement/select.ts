// Which clusters a placement may choose from: sets that are bound to its namespace, then its predicates.
import { compileSelector } from "../../lib/label-selector.ts";
import { clusterSetLabel } from "../names.ts";
import { claimsOf } from "./model.ts";
import type { CelMatch, ClusterSelector, ManagedCluster, ManagedClusterSet } from "./model.ts";

/** Whether `cluster` belongs to `set`: by label of the set's name, or by the set's own selector. */
export function memberOf(set: ManagedClusterSet) {
  const { selectorType = "ExclusiveClusterSetLabel", labelSelector } =
    set.spec.clusterSelector ?? {};
  if (selectorType === "LabelSelector") {
    const matches = compileSelector(labelSelector);
    return (cluster: ManagedCluster) => matches(cluster.metadata.labels);
  }
  return (cluster: ManagedCluster) =>
    cluster.metadata.labels?.[clusterSetLabel] === set.metadata.name;
}

/** All parts of a selector must hold; an absent part always does. */
export function compileClusterSelector(selector: ClusterSelector = {}, cel: CelMatch) {
  const { labelSelector, claimSelector, celSelector } = selector;
  const labels = compileSelector(labelSelector ?? {});
  const claims = compileSelector(claimSelector ?? {});
  return (cluster: ManagedCluster) =>
    labels(cluster.metadata.labels) &&
    claims(claimsOf(cluster)) &&
    (celSelector?.celExpressions ?? []).every((expression) => cel(expression, cluster));
}
