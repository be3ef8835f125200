// What a node that joined may do with VMs: read them, and say of those on it how they are. RBAC knows no "on it",
// so a ValidatingAdmissionPolicy keeps a node from the VMs of others and from everything but how its own are.
import { apply } from "../client/apply.ts";
import type { Client } from "../client/client.ts";
import { resource } from "../client/client.ts";

const name = "kerb-vms-node";
const rbac = "rbac.authorization.k8s.io/v1";
const admission = "admissionregistration.k8s.io/v1";
const manager = { fieldManager: "kerb-vms" };

const role = {
  apiVersion: rbac,
  kind: "ClusterRole",
  metadata: { name },
  rules: [
    {
      apiGroups: ["kubevirt.io"],
      resources: ["virtualmachineinstances"],
      verbs: ["get", "list", "watch", "update"],
    },
    // Which of its devices it may offer.
    { apiGroups: ["kubevirt.io"], resources: ["kubevirts"], verbs: ["get", "list", "watch"] },
  ],
};

const binding = {
  apiVersion: rbac,
  kind: "ClusterRoleBinding",
  metadata: { name },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name },
  subjects: [{ apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: "system:nodes" }],
};

const isNode = "request.userInfo.groups.exists(g, g == 'system:nodes')";
const label = "kubevirt.io/nodeName";
const isHere =
  `has(oldObject.metadata.labels) && '${label}' in oldObject.metadata.labels && ` +
  `'system:node:' + oldObject.metadata.labels['${label}'] == request.userInfo.username`;
const same = (path: string) => {
  const optional = path.split(".").map((name) => `.?${name}`);
  return `object${optional.join("")} == oldObject${optional.join("")}`;
};

/** What says whose a VM is, what it is to be, and where it goes: others decide that. */
const kept = [
  ...["spec", "metadata.labels", "metadata.annotations", "metadata.finalizers"],
  ...["metadata.ownerReferences", "status.nodeName", "status.evacuationNodeName"],
  "status.migrationState",
];

const policy = {
  apiVersion: admission,
  kind: "ValidatingAdmissionPolicy",
  metadata: { name },
  spec: {
    failurePolicy: "Fail",
    matchConstraints: {
      resourceRules: [
        {
          apiGroups: ["kubevirt.io"],
          apiVersions: ["*"],
          operations: ["UPDATE"],
          resources: ["virtualmachineinstances"],
        },
      ],
    },
    matchConditions: [{ name: "nodes", expression: isNode }],
    validations: [
      { expression: isHere, message: "a node may say how its own VMs are", reason: "Forbidden" },
      {
        expression: kept.map(same).join(" && "),
        message: `a node may say how a VM is, and not change: ${kept.join(", ")}`,
        reason: "Forbidden",
      },
    ],
  },
};

const policyBinding = {
  apiVersion: admission,
  kind: "ValidatingAdmissionPolicyBinding",
  metadata: { name },
  spec: { policyName: name, validationActions: ["Deny"] },
};

export async function ensureNodeRights(client: Client) {
  await apply(client, resource(rbac, "clusterroles"), role, manager);
  await apply(client, resource(rbac, "clusterrolebindings"), binding, manager);
  await apply(client, resource(admission, "validatingadmissionpolicies"), policy, manager);
  const bindings = resource(admission, "validatingadmissionpolicybindings");
  await apply(client, bindings, policyBinding, manager);
}
