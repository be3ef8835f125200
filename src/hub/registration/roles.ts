// What the hub lets an accepted site do: speak of itself, and in its own namespace. Pure.
import type { Draft } from "../../kinds/object.ts";
import { fleetGroup } from "../kinds/fleet.ts";
import { clusterGroup, releaseArchivePath } from "../names.ts";
import { reachGroup } from "../reach/protocol.ts";
import { returningGroup } from "./returning.ts";

const rbac = "rbac.authorization.k8s.io";
const ocm = "open-cluster-management.io";
const readAndWatch = ["get", "list", "watch"];

const role = (name: string, rules: object[]): Named => ({
  apiVersion: `${rbac}/v1`,
  kind: "ClusterRole",
  metadata: { name },
  rules,
});

export type Named = Draft & { metadata: { name: string; namespace?: string } };

export const roleNameOf = (cluster: string) => `open-cluster-management:managedcluster:${cluster}`;
const shared = (of: string) => `open-cluster-management:managedcluster:${of}`;

/** In the namespace of any site. */
export const sharedRoles: Named[] = [
  role(shared("registration"), [
    {
      apiGroups: [""],
      resources: ["configmaps"],
      resourceNames: ["kube-root-ca.crt"],
      verbs: ["get"],
    },
    {
      apiGroups: ["coordination.k8s.io"],
      resources: ["leases"],
      verbs: [...readAndWatch, "update", "patch"],
    },
    {
      apiGroups: [`addon.${ocm}`],
      resources: ["managedclusteraddons"],
      verbs: readAndWatch,
    },
    {
      apiGroups: [`addon.${ocm}`],
      resources: ["managedclusteraddons/status"],
      verbs: ["patch", "update"],
    },
  ]),
  role(shared("work"), [
    {
      apiGroups: [`work.${ocm}`],
      resources: ["manifestworks"],
      verbs: [...readAndWatch, "update", "patch"],
    },
    {
      apiGroups: [`work.${ocm}`],
      resources: ["manifestworks/status"],
      verbs: ["patch", "update"],
    },
    {
      apiGroups: [fleetGroup],
      resources: ["alarms", "alarms/status"],
      verbs: [...readAndWatch, "create", "patch", "update", "delete"],
    },
    { apiGroups: [fleetGroup], resources: ["siteoperations"], verbs: readAndWatch },
    { apiGroups: [fleetGroup], resources: ["siteoperations/status"], verbs: ["patch", "update"] },
    {
      apiGroups: ["", "events.k8s.io"],
      resources: ["events"],
      verbs: [...readAndWatch, "create", "patch", "update"],
    },
  ]),
];

/** Speaks of its own ManagedCluster, asks for certificates and renews them. */
export const clusterRole = (cluster: string): Named =>
  role(roleNameOf(cluster), [
    {
      apiGroups: ["certificates.k8s.io"],
      resources: ["certificatesigningrequests"],
      verbs: ["create", ...readAndWatch],
    },
    {
      apiGroups: [`register.${ocm}`],
      // Of any name, as agents' operators ask; whom a renewal is for is in the request, which must be its asker.
      resources: ["managedclusters/clientcertificates"],
      verbs: ["renew"],
    },
    {
      apiGroups: [`cluster.${ocm}`],
      resources: ["managedclusters"],
      resourceNames: [cluster],
      verbs: [...readAndWatch, "update"],
    },
    {
      apiGroups: [`cluster.${ocm}`],
      resources: ["managedclusters/status"],
      resourceNames: [cluster],
      verbs: ["patch", "update"],
    },
    { nonResourceURLs: [releaseArchivePath], verbs: ["get"] },
    {
      apiGroups: [reachGroup],
      resources: ["managedclusters/tunnel"],
      resourceNames: [cluster],
      verbs: ["get"],
    },
  ]);

const returning = "kerb:returning-site";

/** Whoever shows an expired certificate asks for a new one, and sees what becomes of that. */
export const returningRole = role(returning, [
  {
    apiGroups: ["certificates.k8s.io"],
    resources: ["certificatesigningrequests"],
    verbs: ["create", "get"],
  },
]);
export const returningBinding: Named = {
  apiVersion: `${rbac}/v1`,
  kind: "ClusterRoleBinding",
  metadata: { name: returning },
  roleRef: { apiGroup: rbac, kind: "ClusterRole", name: returning },
  subjects: [{ apiGroup: rbac, kind: "Group", name: returningGroup }],
};

const bindingOf = (kind: string, name: string, roleName: string, cluster: string): Named => ({
  apiVersion: `${rbac}/v1`,
  kind,
  metadata: { name, ...(kind === "RoleBinding" && { namespace: cluster }) },
  roleRef: { apiGroup: rbac, kind: "ClusterRole", name: roleName },
  subjects: [{ apiGroup: rbac, kind: "Group", name: clusterGroup(cluster) }],
});

export const clusterBinding = (cluster: string) =>
  bindingOf("ClusterRoleBinding", roleNameOf(cluster), roleNameOf(cluster), cluster);

export const namespaceBindings = (cluster: string): Named[] =>
  ["registration", "work"].map((of) =>
    bindingOf("RoleBinding", `${roleNameOf(cluster)}:${of}`, shared(of), cluster),
  );
