// Says of a ManagedClusterSetBinding whether its set is there.
import type { Controller } from "../../controllers/runtime.ts";
import { differs } from "../../lib/differs.ts";
import { withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import { managedClusterSetBindings, managedClusterSets } from "../kinds/resources.ts";

function bound(set: string, isThere: boolean): Condition {
  const type = "Bound";
  if (isThere) return { type, status: "True", reason: "ClusterSetBound", message: "" };
  const message = `ManagedClusterSet ${set} is not found`;
  return { type, status: "False", reason: "ClusterSetNotFound", message };
}

export const clusterSetBinding: Controller = {
  name: "managed-cluster-set-binding",
  inputs: [
    { resource: managedClusterSetBindings },
    {
      resource: managedClusterSets,
      keys: (set, { informer }) =>
        informer(managedClusterSetBindings)
          .list()
          .filter(({ spec }) => spec.clusterSet === set.metadata.name)
          .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`),
    },
  ],
  outputs: [managedClusterSetBindings],
  async reconcile(key, { client, clock, informer }) {
    const [namespace, name] = key.split("/") as [string, string];
    const binding = informer(managedClusterSetBindings).get(name, namespace);
    if (!binding) return;
    const { clusterSet } = binding.spec;
    const isThere = informer(managedClusterSets).get(clusterSet) !== undefined;
    const have = binding.status?.conditions;
    const conditions = withConditions(have, [bound(clusterSet, isThere)], clock.now());
    if (!differs(conditions, have)) return;
    const target = { ...managedClusterSetBindings, namespace, name, subresource: "status" };
    await client.patch(target, "merge", { status: { conditions } });
  },
};
