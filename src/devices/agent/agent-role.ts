// What the search on a node may do, beyond what every node may. Secrets and ConfigMaps that Configurations name
// are not in it: who wants them read on joined nodes says so with a role of their own.
import { apply } from "../../client/apply.ts";
import type { Client } from "../../client/client.ts";
import { resource } from "../../client/client.ts";

const rbac = "rbac.authorization.k8s.io";
const roles = resource(`${rbac}/v1`, "clusterroles");
const bindings = resource(`${rbac}/v1`, "clusterrolebindings");
const name = "kerb:akri-agent";
const reading = ["get", "list", "watch"];

const rule = (group: string, resources: string[], verbs: string[]) => ({
  apiGroups: [group],
  resources,
  verbs,
});

const rules = [
  rule("akri.sh", ["configurations"], reading),
  rule("akri.sh", ["configurations/status", "instances/status"], ["patch"]),
  rule("akri.sh", ["instances"], [...reading, "create", "patch", "delete"]),
  rule("devices.kerb.dev", ["devicetwins"], reading),
  rule("devices.kerb.dev", ["devicetwins/status"], ["patch"]),
];

/** Every node may look for devices. */
export async function ensureAgentRole(client: Client) {
  const options = { fieldManager: "kerb" };
  const metadata = { name };
  const role = { apiVersion: `${rbac}/v1`, kind: "ClusterRole", metadata, rules };
  await apply(client, roles, role, options);
  const binding = {
    apiVersion: `${rbac}/v1`,
    kind: "ClusterRoleBinding",
    metadata,
    roleRef: { apiGroup: rbac, kind: "ClusterRole", name },
    subjects: [{ apiGroup: rbac, kind: "Group", name: "system:nodes" }],
  };
  await apply(client, bindings, binding, options);
}
