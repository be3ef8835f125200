// What RBAC must say so that somebody with a bootstrap token comes in.
import type { Draft } from "../../kinds/object.ts";
import { anySiteGroup } from "../../hub/names.ts";
import { returningNodesGroup } from "../../lib/returning-node.ts";
import { joinGroup } from "../node/join-token.ts";

export const rbac = "rbac.authorization.k8s.io";

const binding = (name: string, role: string, group: string): Draft => ({
  apiVersion: `${rbac}/v1`,
  kind: "ClusterRoleBinding",
  metadata: { name },
  roleRef: { apiGroup: rbac, kind: "ClusterRole", name: role },
  subjects: [{ apiGroup: rbac, kind: "Group", name: group }],
});

const certificates = "system:certificates.k8s.io:certificatesigningrequests";

/** Nodes filter traffic themselves, so they read whom it is from and for. */
const networkRole: Draft = {
  apiVersion: `${rbac}/v1`,
  kind: "ClusterRole",
  metadata: { name: "kerb:node-network" },
  rules: [
    {
      apiGroups: [""],
      resources: ["services", "pods", "namespaces", "nodes"],
      verbs: ["get", "list", "watch"],
    },
    { apiGroups: ["discovery.k8s.io"], resources: ["endpointslices"], verbs: ["list", "watch"] },
    {
      apiGroups: ["networking.k8s.io"],
      resources: ["networkpolicies", "ipaddresses"],
      verbs: ["list", "watch"],
    },
    {
      apiGroups: [""],
      resources: ["configmaps"],
      resourceNames: ["kerb-cluster", "kube-dns", "kube-root-ca.crt"],
      verbs: ["get", "list", "watch"],
    },
  ],
};

export type Permission = [plural: string, object: Draft];

export const nodePermissions: Permission[] = [
  ["clusterroles", networkRole],
  ["clusterrolebindings", binding("kerb:node-network", "kerb:node-network", "system:nodes")],
  ["clusterrolebindings", binding("kerb:node-bootstrapper", "system:node-bootstrapper", joinGroup)],
  ["clusterrolebindings", binding("kerb:node-admission", `${certificates}:nodeclient`, joinGroup)],
  [
    "clusterrolebindings",
    binding("kerb:node-renewal", `${certificates}:selfnodeclient`, "system:nodes"),
  ],
  [
    "clusterrolebindings",
    binding("kerb:returning-nodes", "system:node-bootstrapper", returningNodesGroup),
  ],
  [
    "clusterrolebindings",
    binding("kerb:node-return", `${certificates}:selfnodeclient`, returningNodesGroup),
  ],
];

const siteBootstrapper = "open-cluster-management:bootstrap";

/** As Open Cluster Management's bootstrap role: introduce a site, ask for a certificate, see what became of it. */
export const sitePermissions: Permission[] = [
  [
    "clusterroles",
    {
      apiVersion: `${rbac}/v1`,
      kind: "ClusterRole",
      metadata: { name: siteBootstrapper },
      rules: [
        {
          apiGroups: ["certificates.k8s.io"],
          resources: ["certificatesigningrequests"],
          verbs: ["create", "get", "list", "watch"],
        },
        {
          apiGroups: ["cluster.open-cluster-management.io"],
          resources: ["managedclusters"],
          verbs: ["get", "create"],
        },
      ],
    },
  ],
  ["clusterrolebindings", binding(siteBootstrapper, siteBootstrapper, anySiteGroup)],
];
