// Add-ons of Open Cluster Management are installed by programs that follow ClusterManagementAddOns. A hub that serves
// none has no such program: it keeps what is written for agents that look for it, and says that nothing comes of it.
import type { Controller, DiscoveredResource } from "../../controllers/runtime.ts";
import { differs } from "../../lib/differs.ts";
import { withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import { managedClusterAddOns } from "../kinds/resources.ts";

const refusal: Condition = {
  type: "ManifestApplied",
  status: "False",
  reason: "NoAddOnManager",
  message:
    "This hub installs no add-ons: it serves no ClusterManagementAddOns. " +
    "A ManifestWork, or a ManifestWorkReplicaSet, brings an agent's manifests to sites",
};

/** Whether somebody may act on add-ons here. Pure. */
export const hasManagers = (served: DiscoveredResource[]) =>
  served.some(
    ({ group, resource }) =>
      group === managedClusterAddOns.group && resource === "clustermanagementaddons",
  );

export const addOn: Controller = {
  name: "managed-cluster-add-on",
  inputs: [{ resource: managedClusterAddOns }],
  outputs: [managedClusterAddOns],
  async reconcile(key, { client, clock, informer, discover }) {
    const [namespace, name] = key.split("/") as [string, string];
    const one = informer(managedClusterAddOns).get(name, namespace);
    if (!one || one.metadata.deletionTimestamp || hasManagers(await discover())) return;
    const conditions = withConditions(one.status?.conditions, [refusal], clock.now());
    if (!differs(conditions, one.status?.conditions)) return;
    const { resourceVersion } = one.metadata;
    const target = { ...managedClusterAddOns, namespace, name, subresource: "status" };
    await client.patch(target, "merge", { metadata: { resourceVersion }, status: { conditions } });
  },
};
