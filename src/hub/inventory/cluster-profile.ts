// Keeps a ClusterProfile for each member that was accepted. It is to be read: what somebody changes there is put
// right, since ManagedClusters say what is so.
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Controller } from "../../controllers/runtime.ts";
import { withConditions } from "../../lib/conditions.ts";
import { differs } from "../../lib/differs.ts";
import { isStatus } from "../../lib/status-error.ts";
import { clusterProfiles } from "../kinds/cluster-profile.ts";
import { managedClusters } from "../kinds/resources.ts";
import { inventoryNamespace, profileDraft, profileStatus } from "./profile.ts";

const namespaces = resource("v1", "namespaces");
const fieldManager = "kerb-hub";
const metadata = { name: inventoryNamespace };

export const clusterProfile: Controller = {
  name: "cluster-profile",
  inputs: [
    { resource: managedClusters },
    {
      resource: clusterProfiles,
      namespace: inventoryNamespace,
      keys: (profile) => [profile.metadata.name],
    },
  ],
  outputs: [clusterProfiles, namespaces],
  async start({ client }) {
    await apply(
      client,
      namespaces,
      { apiVersion: "v1", kind: "Namespace", metadata },
      { fieldManager },
    );
  },
  async reconcile(name, { client, clock, informer }) {
    const cluster = informer(managedClusters).get(name);
    const profile = informer(clusterProfiles).get(name, inventoryNamespace);
    const target = { ...clusterProfiles, namespace: inventoryNamespace, name };
    if (!cluster?.spec?.hubAcceptsClient || cluster.metadata.deletionTimestamp) {
      if (!profile) return;
      return void (await client.delete(target).catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      }));
    }
    const draft = profileDraft(cluster);
    if (!profile || differs(draft, profile)) {
      await apply(client, clusterProfiles, draft, { fieldManager });
      if (!profile) return;
    }
    const wanted = profileStatus(cluster);
    const conditions = withConditions(profile.status?.conditions, wanted.conditions, clock.now());
    const status = { ...wanted, conditions };
    if (!differs(status, profile.status)) return;
    await client.patch({ ...target, subresource: "status" }, "merge", { status });
  },
};
