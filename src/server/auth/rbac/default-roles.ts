// The roles every Kubernetes cluster has, by the names charts and manifests refer to. A grant is verbs
// and resources; a resource of another group than core carries it in front, `apps:deployments`.

export interface RoleData {
  /** Aggregated into the role of this name: view, edit or admin. */
  aggregateTo?: string;
  /** Made of the roles that aggregate to its own name, instead of grants. */
  aggregated?: boolean;
  grants?: Grant[];
}

/** Verbs, resources, and names when only some objects are meant; paths start with a slash. */
export type Grant = [verbs: string, resources: string, names?: string];

const read = "get list watch";
const write = "create delete deletecollection patch update";
const all = `${read} ${write}`;
const events: Grant = ["create patch update", "events events.k8s.io:events"];

const workloads =
  "apps:daemonsets apps:deployments apps:deployments/scale apps:replicasets " +
  "apps:replicasets/scale apps:statefulsets apps:statefulsets/scale " +
  "autoscaling:horizontalpodautoscalers batch:cronjobs batch:jobs policy:poddisruptionbudgets " +
  "networking.k8s.io:ingresses networking.k8s.io:networkpolicies";
const workloadsRead =
  `${workloads} apps:controllerrevisions apps:daemonsets/status apps:deployments/status ` +
  "apps:replicasets/status apps:statefulsets/status autoscaling:horizontalpodautoscalers/status " +
  "batch:cronjobs/status batch:jobs/status policy:poddisruptionbudgets/status " +
  "networking.k8s.io:ingresses/status discovery.k8s.io:endpointslices " +
  "resource.k8s.io:resourceclaims resource.k8s.io:resourceclaims/status " +
  "resource.k8s.io:resourceclaimtemplates";
const core =
  "configmaps events persistentvolumeclaims replicationcontrollers replicationcontrollers/scale " +
  "serviceaccounts services";

export const clusterRoles: Record<string, RoleData> = {
  "cluster-admin": {
    grants: [
      ["*", "*:*"],
      ["*", "/*"],
    ],
  },
  "system:discovery": {
    grants: [
      [
        "get",
        "/api /api/* /apis /apis/* /healthz /livez /openapi /openapi/* /readyz /version /version/",
      ],
    ],
  },
  "system:monitoring": {
    grants: [
      ["get", "/healthz /healthz/* /livez /livez/* /metrics /metrics/slis /readyz /readyz/*"],
    ],
  },
  "system:basic-user": {
    grants: [
      [
        "create",
        "authorization.k8s.io:selfsubjectaccessreviews authorization.k8s.io:selfsubjectrulesreviews",
      ],
      ["create", "authentication.k8s.io:selfsubjectreviews"],
    ],
  },
  "system:public-info-viewer": {
    grants: [["get", "/healthz /livez /readyz /version /version/"]],
  },
  admin: { aggregated: true },
  edit: { aggregated: true, aggregateTo: "admin" },
  view: { aggregated: true, aggregateTo: "edit" },
  "system:aggregate-to-admin": {
    aggregateTo: "admin",
    grants: [
      ["create", "authorization.k8s.io:localsubjectaccessreviews"],
      [all, "rbac.authorization.k8s.io:roles rbac.authorization.k8s.io:rolebindings"],
    ],
  },
  "system:aggregate-to-edit": {
    aggregateTo: "edit",
    grants: [
      [read, "pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy"],
      ["impersonate", "serviceaccounts"],
      [
        write,
        `pods pods/attach pods/exec pods/portforward pods/proxy secrets services/proxy ${core}`,
      ],
      ["create", "pods/eviction serviceaccounts/token"],
      [write, `${workloads} resource.k8s.io:resourceclaims resource.k8s.io:resourceclaimtemplates`],
      [all, "coordination.k8s.io:leases"],
    ],
  },
  "system:aggregate-to-view": {
    aggregateTo: "view",
    grants: [
      [read, `${core} endpoints persistentvolumeclaims/status pods services/status`],
      [read, "bindings limitranges namespaces/status pods/log pods/status"],
      [read, "replicationcontrollers/status resourcequotas resourcequotas/status namespaces"],
      [read, workloadsRead],
    ],
  },
  "system:aggregated-metrics-reader": {
    aggregateTo: "view",
    grants: [[read, "metrics.k8s.io:pods metrics.k8s.io:nodes"]],
  },
  "system:heapster": {
    grants: [[read, "events namespaces nodes pods apps:deployments"]],
  },
  "system:node": {
    grants: [
      [
        "create",
        "authentication.k8s.io:tokenreviews authorization.k8s.io:localsubjectaccessreviews " +
          "authorization.k8s.io:subjectaccessreviews pods/eviction serviceaccounts/token",
      ],
      [read, "services endpoints nodes pods configmaps secrets"],
      ["create patch update", "nodes"],
      ["create delete patch update", "pods"],
      ["patch update", "nodes/status pods/status"],
      events,
      ["get", "persistentvolumeclaims persistentvolumes storage.k8s.io:volumeattachments"],
      ["create get list watch", "certificates.k8s.io:certificatesigningrequests"],
      ["create delete get patch update", "coordination.k8s.io:leases storage.k8s.io:csinodes"],
      [read, "node.k8s.io:runtimeclasses storage.k8s.io:csidrivers resource.k8s.io:resourceclaims"],
      [
        "create delete deletecollection get list patch update watch",
        "resource.k8s.io:resourceslices",
      ],
    ],
  },
  "system:node-problem-detector": {
    grants: [["get", "nodes"], ["patch", "nodes/status"], events],
  },
  "system:node-proxier": {
    grants: [
      ["list watch", "endpoints services discovery.k8s.io:endpointslices"],
      ["list watch", "networking.k8s.io:servicecidrs"],
      [read, "nodes"],
      events,
    ],
  },
  "system:kubelet-api-admin": {
    grants: [
      [read, "nodes"],
      ["proxy", "nodes"],
      [
        "*",
        "nodes/log nodes/metrics nodes/proxy nodes/stats nodes/configz nodes/healthz nodes/pods",
      ],
    ],
  },
  "system:node-bootstrapper": {
    grants: [["create get list watch", "certificates.k8s.io:certificatesigningrequests"]],
  },
  "system:auth-delegator": {
    grants: [
      ["create", "authentication.k8s.io:tokenreviews authorization.k8s.io:subjectaccessreviews"],
    ],
  },
  "system:kube-aggregator": { grants: [[read, "endpoints services"]] },
  "system:kube-controller-manager": {
    grants: [
      events,
      ["create", "coordination.k8s.io:leases serviceaccounts/token"],
      ["get update", "coordination.k8s.io:leases", "kube-controller-manager"],
      ["create", "secrets serviceaccounts authentication.k8s.io:tokenreviews"],
      ["create", "authorization.k8s.io:subjectaccessreviews"],
      ["delete", "secrets"],
      ["get", "configmaps namespaces secrets serviceaccounts"],
      ["update", "secrets serviceaccounts"],
      ["list watch", "*:*"],
    ],
  },
  "system:kube-dns": { grants: [["list watch", "endpoints services"]] },
  "system:persistent-volume-provisioner": {
    grants: [
      ["create delete get list watch", "persistentvolumes"],
      ["get list update watch", "persistentvolumeclaims"],
      [read, "storage.k8s.io:storageclasses"],
      ["watch", "events"],
      events,
    ],
  },
  "system:kube-scheduler": {
    grants: [
      events,
      ["create", "coordination.k8s.io:leases"],
      ["get list update watch", "coordination.k8s.io:leases", "kube-scheduler"],
      [read, "nodes namespaces"],
      ["delete get list watch", "pods"],
      ["create", "bindings pods/binding"],
      ["patch update", "pods/status"],
      [read, "replicationcontrollers services apps:replicasets apps:statefulsets"],
      [read, "policy:poddisruptionbudgets persistentvolumeclaims persistentvolumes"],
      ["create", "authentication.k8s.io:tokenreviews authorization.k8s.io:subjectaccessreviews"],
      [
        read,
        "storage.k8s.io:csinodes storage.k8s.io:csidrivers storage.k8s.io:csistoragecapacities",
      ],
      [read, "storage.k8s.io:volumeattachments resource.k8s.io:deviceclasses"],
      ["get list patch update watch", "resource.k8s.io:resourceclaims"],
      ["patch update", "resource.k8s.io:resourceclaims/status"],
      [read, "resource.k8s.io:resourceslices"],
    ],
  },
  "system:volume-scheduler": {
    grants: [
      ["get list patch update watch", "persistentvolumeclaims persistentvolumes"],
      [read, "storage.k8s.io:storageclasses"],
    ],
  },
  "system:service-account-issuer-discovery": {
    grants: [
      [
        "get",
        "/.well-known/openid-configuration /.well-known/openid-configuration/ /openid/v1/jwks /openid/v1/jwks/",
      ],
    ],
  },
  ...signers(),
};

/** Roles about certificate signers differ in a name only. */
function signers(): Record<string, RoleData> {
  const roles: Record<string, RoleData> = {};
  const approvers = {
    "legacy-unknown-approver": "kubernetes.io/legacy-unknown",
    "kubelet-serving-approver": "kubernetes.io/kubelet-serving",
    "kube-apiserver-client-approver": "kubernetes.io/kube-apiserver-client",
    "kube-apiserver-client-kubelet-approver": "kubernetes.io/kube-apiserver-client-kubelet",
  };
  for (const [name, signer] of Object.entries(approvers)) {
    roles[`system:certificates.k8s.io:${name}`] = {
      grants: [["approve", "certificates.k8s.io:signers", signer]],
    };
  }
  for (const name of ["nodeclient", "selfnodeclient"]) {
    roles[`system:certificates.k8s.io:certificatesigningrequests:${name}`] = {
      grants: [["create", `certificates.k8s.io:certificatesigningrequests/${name}`]],
    };
  }
  return roles;
}

/** Roles in namespaces. */
export const namespacedRoles: Record<string, Record<string, RoleData>> = {
  "kube-system": {
    "extension-apiserver-authentication-reader": {
      grants: [[read, "configmaps", "extension-apiserver-authentication"]],
    },
    "system::leader-locking-kube-controller-manager": {
      grants: [
        ["watch", "configmaps"],
        ["get update", "configmaps", "kube-controller-manager"],
      ],
    },
    "system::leader-locking-kube-scheduler": {
      grants: [
        ["watch", "configmaps"],
        ["get update", "configmaps", "kube-scheduler"],
      ],
    },
    "system:controller:bootstrap-signer": { grants: [[read, "secrets"]] },
    "system:controller:token-cleaner": { grants: [["delete get list watch", "secrets"], events] },
  },
  "kube-public": {
    "system:controller:bootstrap-signer": {
      grants: [[read, "configmaps"], ["update", "configmaps", "cluster-info"], events],
    },
  },
};

/** Role to its subjects; `Group`, `User` or a service account in kube-system. The binding has its name. */
export const clusterBindings: Record<string, [kind: string, name: string][]> = {
  "cluster-admin": [["Group", "system:masters"]],
  "system:monitoring": [["Group", "system:monitoring"]],
  "system:discovery": [["Group", "system:authenticated"]],
  "system:basic-user": [["Group", "system:authenticated"]],
  "system:public-info-viewer": [
    ["Group", "system:authenticated"],
    ["Group", "system:unauthenticated"],
  ],
  // Nodes are allowed by the node authorizer, each its own.
  "system:node": [],
  "system:node-proxier": [["User", "system:kube-proxy"]],
  "system:kube-controller-manager": [["User", "system:kube-controller-manager"]],
  "system:kube-dns": [["ServiceAccount", "kube-dns"]],
  "system:kube-scheduler": [["User", "system:kube-scheduler"]],
  "system:volume-scheduler": [["User", "system:kube-scheduler"]],
  "system:service-account-issuer-discovery": [["Group", "system:serviceaccounts"]],
};

export const namespacedBindings: Record<string, Record<string, [kind: string, name: string][]>> = {
  "kube-system": {
    "system::leader-locking-kube-controller-manager": [
      ["User", "system:kube-controller-manager"],
      ["ServiceAccount", "kube-controller-manager"],
    ],
    "system::leader-locking-kube-scheduler": [
      ["User", "system:kube-scheduler"],
      ["ServiceAccount", "kube-scheduler"],
    ],
    "system:controller:bootstrap-signer": [["ServiceAccount", "bootstrap-signer"]],
    "system:controller:token-cleaner": [["ServiceAccount", "token-cleaner"]],
  },
  "kube-public": {
    "system:controller:bootstrap-signer": [["ServiceAccount", "bootstrap-signer"]],
  },
};
