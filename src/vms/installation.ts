// What is there besides the kinds: the objects that say KubeVirt and CDI are deployed, the runtime class of
// machines, and roles that the cluster's own view, edit and admin take in.
import { apply } from "../client/apply.ts";
import type { Client } from "../client/client.ts";
import { resource } from "../client/client.ts";
import type { Draft } from "../kinds/object.ts";
import { replicatedVolumes } from "../lib/replicated-volumes.ts";
import type { Clock } from "../lib/clock.ts";
import { ensureDeployed, installNamespace } from "./deployed.ts";
import { runtimeClass } from "./domain.ts";

const manager = { fieldManager: "kerb-vms" };
const core = resource("v1", "namespaces");
const roles = resource("rbac.authorization.k8s.io/v1", "clusterroles");
const storageClasses = resource("storage.k8s.io/v1", "storageclasses");
const runtimeClasses = resource("node.k8s.io/v1", "runtimeclasses");

const groups = [
  "kubevirt.io",
  "instancetype.kubevirt.io",
  "pool.kubevirt.io",
  "snapshot.kubevirt.io",
  "clone.kubevirt.io",
  "export.kubevirt.io",
  "cdi.kubevirt.io",
];
const subresources = "subresources.kubevirt.io";
const instance = (...names: string[]) => names.map((name) => `virtualmachineinstances/${name}`);
const machine = (...names: string[]) => names.map((name) => `virtualmachines/${name}`);

const reading = {
  apiGroups: [subresources],
  resources: [
    ...instance("guestosinfo", "filesystemlist", "userlist", "objectgraph"),
    ...machine("expand-spec", "objectgraph"),
    "expand-vm-spec",
  ],
  verbs: ["get", "update"],
};
const streams = {
  apiGroups: [subresources],
  resources: [
    ...instance("console", "vnc", "vnc/screenshot", "portforward", "usbredir"),
    ...machine("portforward"),
  ],
  verbs: ["get"],
};
const acting = {
  apiGroups: [subresources],
  resources: [
    ...instance("pause", "unpause", "freeze", "unfreeze", "softreboot", "reset"),
    ...instance("addvolume", "removevolume"),
    ...machine("start", "stop", "restart", "addvolume", "removevolume"),
    ...machine("memorydump", "removememorydump"),
  ],
  verbs: ["update"],
};
const migrating = {
  apiGroups: [subresources],
  resources: [...machine("migrate", "evacuate/cancel"), ...instance("evacuate/cancel")],
  verbs: ["update"],
};
const upload = {
  apiGroups: ["upload.cdi.kubevirt.io"],
  resources: ["uploadtokenrequests"],
  verbs: ["create"],
};
const readReplicated = {
  apiGroups: ["vms.kerb.dev"],
  resources: ["replicatedvolumes"],
  verbs: ["get", "list", "watch"],
};
/** Of the cluster: who administers it writes them. */
const readPolicies = {
  apiGroups: ["migrations.kubevirt.io"],
  resources: ["migrationpolicies"],
  verbs: ["get", "list", "watch"],
};
const readAll = { apiGroups: groups, resources: ["*"], verbs: ["get", "list", "watch"] };
const writeAll = {
  apiGroups: groups,
  resources: ["*"],
  verbs: ["get", "list", "watch", "create", "update", "patch", "delete", "deletecollection"],
};

const role = (
  name: string,
  rules: object[],
  into?: string,
): Draft & { metadata: { name: string } } => ({
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRole",
  metadata: {
    name: `kubevirt.io:${name}`,
    ...(into && { labels: { [`rbac.authorization.k8s.io/aggregate-to-${into}`]: "true" } }),
  },
  rules,
});

const clusterRoles = [
  role("view", [readAll, readReplicated, readPolicies, reading], "view"),
  role("edit", [writeAll, readPolicies, reading, streams, acting, upload], "edit"),
  role("admin", [writeAll, readPolicies, reading, streams, acting, upload], "admin"),
  role("migrate", [migrating]),
];

/** For volumes with a copy on two nodes. */
const replicatedClass = {
  apiVersion: "storage.k8s.io/v1",
  kind: "StorageClass",
  metadata: { name: "kerb-replicated" },
  provisioner: replicatedVolumes.provisioner,
  parameters: { replicas: "2" },
  reclaimPolicy: "Delete",
  allowVolumeExpansion: true,
  volumeBindingMode: "Immediate",
};

export async function install(client: Client, clock: Clock) {
  const object = (apiVersion: string, kind: string, name: string, rest: object = {}) => ({
    ...{ apiVersion, kind, metadata: { name }, ...rest },
  });
  await apply(client, core, object("v1", "Namespace", installNamespace), manager);
  await Promise.all([
    ...clusterRoles.map((one) => apply(client, roles, one, manager)),
    apply(
      client,
      runtimeClasses,
      object("node.k8s.io/v1", "RuntimeClass", runtimeClass.name, {
        handler: runtimeClass.handler,
      }),
      manager,
    ),
    apply(client, storageClasses, replicatedClass, manager),
    ensureDeployed(client, clock),
  ]);
}
