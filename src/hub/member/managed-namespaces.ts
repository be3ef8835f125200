// Namespaces that the hub wants at each site of a set. Made here and labelled as the hub's; one that is wanted no more
// stays, with a label that says so.
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type { Controller } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { differs } from "../../lib/differs.ts";
import { withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import { managedClusters } from "../kinds/resources.ts";
import type { ManagedNamespace } from "../registration/managed-namespaces.ts";

const namespaces = resource("v1", "namespaces");
const fieldManager = "kerb-agent";
/** Of a label's name after its prefix. */
const nameMax = 63;

/** Says of a namespace whether the hub of this hash wants it ("true", or "false" for one that it wanted). */
export const hubLabel = (hubHash: string) =>
  `clusterset.open-cluster-management.io/${hubHash.slice(0, nameMax)}`;

/** Names to make or mark, and names that are wanted no more. Pure. */
export function planNamespaces(present: KubeObject[], wanted: string[], label: string) {
  const marked = new Set(
    present
      .filter(({ metadata }) => metadata.labels?.[label] === "true")
      .map(({ metadata }) => metadata.name),
  );
  return {
    mark: [...new Set(wanted)].filter((name) => !marked.has(name)),
    release: [...marked].filter((name) => !wanted.includes(name)),
  };
}

const label = (client: Client, name: string, labels: Record<string, string>) =>
  apply(
    client,
    namespaces,
    { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } },
    { fieldManager },
  );

function said(failure: Error | undefined): Condition {
  const type = "NamespaceAvailable";
  if (!failure) {
    const message = "The namespace is there";
    return { type, status: "True", reason: "NamespaceApplied", message };
  }
  const message = `Failed to apply namespace: ${failure.message}`;
  return { type, status: "False", reason: "NamespaceApplyFailed", message };
}

/** Runs with the hub's client and informers. */
export function managedNamespacesAt(site: Client, cluster: string, hubHash: string): Controller {
  const own = hubLabel(hubHash);
  return {
    name: "managed-namespaces",
    inputs: [{ resource: managedClusters, fieldSelector: `metadata.name=${cluster}` }],
    outputs: [managedClusters],
    async reconcile(name, { client, clock, informer }) {
      const known = informer(managedClusters).get(name);
      if (!known) return;
      const told: ManagedNamespace[] = known.status?.managedNamespaces ?? [];
      const wanted = known.metadata.deletionTimestamp ? [] : told.map((one) => one.name);
      const { items } = await site.list(namespaces, { labelSelector: `${own}=true` });
      const { mark, release } = planNamespaces(items, wanted, own);
      const failures = new Map<string, Error>();
      for (const one of mark) {
        await label(site, one, { [own]: "true" }).catch((error) => failures.set(one, error));
      }
      for (const one of release) await label(site, one, { [own]: "false" });
      if (known.metadata.deletionTimestamp) return;
      const managedNamespaces = told.map((one) => {
        const conditions = [said(failures.get(one.name))];
        return { ...one, conditions: withConditions(one.conditions, conditions, clock.now()) };
      });
      if (!differs(managedNamespaces, told)) return;
      const { resourceVersion } = known.metadata;
      const body = { metadata: { resourceVersion }, status: { managedNamespaces } };
      await client.patch({ ...managedClusters, name, subresource: "status" }, "merge", body);
    },
  };
}
