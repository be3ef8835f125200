// Namespaces that every site of a set is to have: what the sets say is told each site in its ManagedCluster's status,
// where the site then says whether they are there.
import type { Controller } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { differs } from "../../lib/differs.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { Condition } from "../../lib/conditions.ts";
import { managedClusters, managedClusterSets } from "../kinds/resources.ts";
import type { ManagedCluster, ManagedClusterSet } from "../placement/model.ts";
import { memberOf } from "../placement/select.ts";

export interface ManagedNamespace {
  name: string;
  clusterSet: string;
  conditions?: Condition[];
}

/** In the order of sets and names, with what the site said of those it knows. Pure. */
export function namespacesOf(cluster: ManagedCluster, sets: KubeObject[]): ManagedNamespace[] {
  const known = ((cluster.status as any)?.managedNamespaces ?? []) as ManagedNamespace[];
  const keyOf = ({ clusterSet, name }: ManagedNamespace) => `${clusterSet}/${name}`;
  const said = new Map(known.map((one) => [keyOf(one), one.conditions]));
  return sets
    .filter((set) => !set.metadata.deletionTimestamp)
    .filter((set) => memberOf(set as KubeObject & ManagedClusterSet)(cluster))
    .flatMap(({ metadata, spec }) =>
      ((spec?.managedNamespaces ?? []) as { name: string }[]).map(({ name }) => ({
        ...{ name, clusterSet: metadata.name },
      })),
    )
    .toSorted((a, b) => (keyOf(a) < keyOf(b) ? -1 : 1))
    .map((one) => {
      const conditions = said.get(keyOf(one));
      return { ...one, ...(conditions && { conditions }) };
    });
}

export const managedNamespaces: Controller = {
  name: "managed-namespaces",
  inputs: [
    { resource: managedClusters },
    {
      resource: managedClusterSets,
      keys: (set, { informer }, previous) =>
        previous && jsonEqual(previous.spec, set.spec) && !set.metadata.deletionTimestamp
          ? []
          : informer(managedClusters)
              .list()
              .map(({ metadata }) => metadata.name),
    },
  ],
  outputs: [managedClusters],
  async reconcile(name, { client, informer }) {
    const cluster = informer(managedClusters).get(name) as ManagedCluster | undefined;
    if (!cluster || cluster.metadata.deletionTimestamp) return;
    const wanted = namespacesOf(cluster, informer(managedClusterSets).list());
    if (!differs(wanted, (cluster.status as any)?.managedNamespaces ?? [])) return;
    const { resourceVersion } = cluster.metadata;
    const body = { metadata: { resourceVersion }, status: { managedNamespaces: wanted } };
    await client.patch({ ...managedClusters, name, subresource: "status" }, "merge", body);
  },
};
