// How many sites a set has. The sets `default` and `global` are always there.
import { apply } from "../../client/apply.ts";
import type { Client } from "../../client/client.ts";
import type { Controller } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { differs } from "../../lib/differs.ts";
import { withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import { managedClusterSets, managedClusters } from "../kinds/resources.ts";
import type { ManagedCluster, ManagedClusterSet } from "../placement/model.ts";
import { memberOf } from "../placement/select.ts";

const apiVersion = "cluster.open-cluster-management.io/v1beta2";
/** Thousands of sites join and change at once; their sets are counted when that settles. */
const settleMs = 200;
const always: Record<string, object> = {
  default: { selectorType: "ExclusiveClusterSetLabel" },
  global: { selectorType: "LabelSelector", labelSelector: {} },
};

export const ensureSet = (client: Client, name: string) =>
  apply(
    client,
    managedClusterSets,
    {
      apiVersion,
      kind: "ManagedClusterSet",
      metadata: { name },
      spec: { clusterSelector: always[name] },
    },
    { fieldManager: "kerb-hub" },
  );

function emptiness(count: number): Condition {
  const type = "ClusterSetEmpty";
  if (count === 0) {
    const message = "No ManagedCluster selected";
    return { type, status: "True", reason: "NoClusterMatched", message };
  }
  const message = `${count} ManagedClusters selected`;
  return { type, status: "False", reason: "ClustersSelected", message };
}

export const clusterSet: Controller = {
  name: "managed-cluster-set",
  inputs: [
    { resource: managedClusterSets },
    {
      resource: managedClusters,
      keys: (_, { informer, wakeAfter }) => {
        for (const { metadata } of informer(managedClusterSets).list()) {
          wakeAfter(metadata.name, settleMs);
        }
        return [];
      },
    },
  ],
  outputs: [managedClusterSets],
  async start({ client }) {
    for (const name of Object.keys(always)) await ensureSet(client, name);
  },
  async reconcile(name, { client, clock, informer }) {
    const set = informer(managedClusterSets).get(name);
    if (!set) return void (always[name] && (await ensureSet(client, name)));
    const belongs = memberOf(set as ManagedClusterSet & KubeObject);
    const found = (informer(managedClusters).list() as ManagedCluster[]).filter(belongs);
    const conditions = withConditions(
      set.status?.conditions,
      [emptiness(found.length)],
      clock.now(),
    );
    if (!differs(conditions, set.status?.conditions)) return;
    const target = { ...managedClusterSets, name, subresource: "status" };
    await client.patch(target, "merge", { status: { conditions } });
  },
};
