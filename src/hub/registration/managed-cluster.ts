// A site that was accepted has a namespace, rights and a lease at the hub; one that is refused has none; one
// that is deleted goes after its works have.
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Client, Target } from "../../client/client.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { differs } from "../../lib/differs.ts";
import { isStatus } from "../../lib/status-error.ts";
import { withConditions } from "../../lib/conditions.ts";
import type { Condition } from "../../lib/conditions.ts";
import { hasDeparted } from "../member/departure.ts";
import { managedClusters, manifestWorks } from "../kinds/resources.ts";
import { clusterFinalizer, clusterNameLabel, clusterSetLabel, leaseName } from "../names.ts";
import {
  clusterBinding,
  clusterRole,
  namespaceBindings,
  returningBinding,
  returningRole,
  roleNameOf,
  sharedRoles,
} from "./roles.ts";
import type { Named } from "./roles.ts";

const rbac = "rbac.authorization.k8s.io/v1";
export const leases = resource("coordination.k8s.io/v1", "leases");
const namespaces = resource("v1", "namespaces");
const clusterRoles = resource(rbac, "clusterroles");
const clusterRoleBindings = resource(rbac, "clusterrolebindings");
const roleBindings = resource(rbac, "rolebindings");
const whileDeletingMs = 5000;
const defaultLeaseSeconds = 60;

const gone = (error: unknown) => {
  if (!isStatus(error, "NotFound", "Conflict")) throw error;
};

/** What `spec.hubAcceptsClient` means to the site. Pure. */
export function acceptance(cluster: KubeObject): Condition | undefined {
  const type = "HubAcceptedManagedCluster";
  if (cluster.spec?.hubAcceptsClient) {
    const message = "Accepted by hub cluster admin";
    return { type, status: "True", reason: "HubClusterAdminAccepted", message };
  }
  const before = cluster.status?.conditions?.find((one: Condition) => one.type === type);
  if (!before) return undefined;
  const message = "Denied by hub cluster admin";
  return { type, status: "False", reason: "HubClusterAdminDenied", message };
}

async function put(client: Client, target: Target, object: Named) {
  await apply(client, target, object, { fieldManager: "kerb-hub" });
}

async function grant({ client }: ControllerContext, cluster: KubeObject) {
  const { name } = cluster.metadata;
  const labels = { [clusterNameLabel]: name };
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } };
  await put(client, namespaces, namespace);
  for (const role of sharedRoles) await put(client, clusterRoles, role);
  await put(client, clusterRoles, clusterRole(name));
  await put(client, clusterRoleBindings, clusterBinding(name));
  for (const binding of namespaceBindings(name)) await put(client, roleBindings, binding);
  const leaseDurationSeconds = cluster.spec.leaseDurationSeconds ?? defaultLeaseSeconds;
  const lease: Draft = {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name: leaseName, namespace: name, labels },
    spec: { holderIdentity: leaseName, leaseDurationSeconds },
  };
  await client.create({ ...leases, namespace: name }, lease).catch((error: unknown) => {
    if (!isStatus(error, "AlreadyExists")) throw error;
  });
}

async function revoke({ client }: ControllerContext, name: string) {
  for (const { metadata } of namespaceBindings(name)) {
    await client.delete({ ...roleBindings, ...metadata }).catch(gone);
  }
  const own = { name: roleNameOf(name) };
  await client.delete({ ...clusterRoleBindings, ...own }).catch(gone);
  await client.delete({ ...clusterRoles, ...own }).catch(gone);
}

/** Its works first: the site takes back what they made. */
async function remove(context: ControllerContext, cluster: KubeObject) {
  const { client, informer } = context;
  const { name, finalizers = [] } = cluster.metadata;
  if (!finalizers.includes(clusterFinalizer)) return;
  const works = informer(manifestWorks).list(name);
  const departed = hasDeparted(cluster.status?.conditions);
  for (const { metadata } of works) {
    const target = { ...manifestWorks, namespace: name, name: metadata.name };
    if (!metadata.deletionTimestamp) await client.delete(target).catch(gone);
    // Nobody is there any more who would take anything back.
    if (departed) await client.patch(target, "merge", { metadata: { finalizers: [] } }).catch(gone);
  }
  if (works.length > 0) {
    const message = `waiting for ${works.length} ManifestWorks in namespace ${name} to be taken back by the site`;
    await writeConditions(context, cluster, [
      { type: "Deleting", status: "True", reason: "ManifestWorksRemain", message },
    ]);
    return context.wakeAfter(name, whileDeletingMs);
  }
  await revoke(context, name);
  await client.delete({ ...namespaces, name }).catch(gone);
  const left = finalizers.filter((one) => one !== clusterFinalizer);
  const { resourceVersion } = cluster.metadata;
  const metadata = { finalizers: left, resourceVersion };
  await client.patch({ ...managedClusters, name }, "merge", { metadata });
}

/** Writes the conditions of `wanted` when they say something new. */
export async function writeConditions(
  { client, clock }: Pick<ControllerContext, "client" | "clock">,
  cluster: KubeObject,
  wanted: Condition[],
) {
  const conditions = withConditions(cluster.status?.conditions, wanted, clock.now());
  if (!differs(conditions, cluster.status?.conditions)) return;
  const { name, resourceVersion } = cluster.metadata;
  const body = { metadata: { resourceVersion }, status: { conditions } };
  await client.patch({ ...managedClusters, name, subresource: "status" }, "merge", body);
}

/** A site belongs to the set `default` until somebody says otherwise. */
async function prepare({ client }: ControllerContext, cluster: KubeObject): Promise<boolean> {
  const { name, labels = {}, finalizers = [], resourceVersion } = cluster.metadata;
  if (labels[clusterSetLabel] && finalizers.includes(clusterFinalizer)) return false;
  const metadata = {
    resourceVersion,
    labels: { [clusterSetLabel]: labels[clusterSetLabel] || "default" },
    finalizers: [...new Set([...finalizers, clusterFinalizer])],
  };
  await client.patch({ ...managedClusters, name }, "merge", { metadata });
  return true;
}

/** Works hold up a site that leaves; to others they come and go by the thousand. */
const leavingCluster = ({ metadata }: KubeObject, { informer }: ControllerContext) => {
  const cluster = informer(managedClusters).get(metadata.namespace!);
  return cluster?.metadata.deletionTimestamp ? [cluster.metadata.name] : [];
};

export const managedCluster: Controller = {
  name: "managed-cluster",
  inputs: [{ resource: managedClusters }, { resource: manifestWorks, keys: leavingCluster }],
  async start({ client }) {
    await put(client, clusterRoles, returningRole);
    await put(client, clusterRoleBindings, returningBinding);
  },
  outputs: [managedClusters, namespaces, leases, clusterRoles, clusterRoleBindings, roleBindings],
  async reconcile(name, context) {
    const cluster = context.informer(managedClusters).get(name);
    if (!cluster) return;
    if (cluster.metadata.deletionTimestamp) return remove(context, cluster);
    if (await prepare(context, cluster)) return;
    const accepted = acceptance(cluster);
    if (!accepted) return;
    if (accepted.status === "True") await grant(context, cluster);
    else await revoke(context, name);
    await writeConditions(context, cluster, [accepted]);
  },
};
