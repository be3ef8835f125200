// `kerb token create`: a bootstrap token, and what RBAC must say so that it lets a node in.
import { readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { resource } from "../client/client.ts";
import type { Client, Target } from "../client/client.ts";
import { httpsClient } from "../client/https.ts";
import { parseKubeconfig } from "../client/kubeconfig.ts";
import type { Draft } from "../kinds/object.ts";
import { systemClock, timestamp } from "../lib/clock.ts";
import { isStatus } from "../lib/status-error.ts";
import { caHash, joinGroup, newToken } from "./join-token.ts";
import { findRunning } from "./run-file.ts";

const rbac = "rbac.authorization.k8s.io";

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
    { apiGroups: ["networking.k8s.io"], resources: ["networkpolicies"], verbs: ["list", "watch"] },
    {
      apiGroups: [""],
      resources: ["configmaps"],
      resourceNames: ["kerb-cluster"],
      verbs: ["get"],
    },
  ],
};

const permissions: [plural: string, object: Draft][] = [
  ["clusterroles", networkRole],
  ["clusterrolebindings", binding("kerb:node-network", "kerb:node-network", "system:nodes")],
  ["clusterrolebindings", binding("kerb:node-bootstrapper", "system:node-bootstrapper", joinGroup)],
  ["clusterrolebindings", binding("kerb:node-admission", `${certificates}:nodeclient`, joinGroup)],
  [
    "clusterrolebindings",
    binding("kerb:node-renewal", `${certificates}:selfnodeclient`, "system:nodes"),
  ],
];

async function ensure(client: Client, target: Target, object: Draft) {
  await client.create(target, object).catch((error: unknown) => {
    if (!isStatus(error, "AlreadyExists")) throw error;
  });
}

export interface CreatedToken {
  /** The command for the other machine. */
  command: string;
  /** RFC 3339. */
  expires: string;
}

/** Asks the running site of `directory`. */
export async function createToken(directory: string, lifeMs: number): Promise<CreatedToken> {
  const folder = resolve(directory);
  const running = findRunning(folder);
  if (!running) {
    throw new Error(`no site runs on ${folder}; start it with: kerb up --data-dir ${folder}`);
  }
  const connection = parseKubeconfig(readFileSync(join(folder, "kubeconfig"), "utf8"));
  const client = httpsClient(connection, { agent: "kerb" });
  try {
    for (const [plural, object] of permissions) {
      await ensure(client, resource(`${rbac}/v1`, plural), object);
    }
    const { id, secret } = newToken();
    const expires = timestamp(systemClock.now() + lifeMs);
    await client.create({ ...resource("v1", "secrets"), namespace: "kube-system" }, {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: `bootstrap-token-${id}` },
      type: "bootstrap.kubernetes.io/token",
      stringData: {
        "token-id": id,
        "token-secret": secret,
        expiration: expires,
        "usage-bootstrap-authentication": "true",
        "usage-bootstrap-signing": "true",
        "auth-extra-groups": joinGroup,
        description: "made by kerb token create",
      },
    } as Draft);
    const address = running.listen?.[0] ?? "ADDRESS";
    const at = `https://${address.includes(":") ? `[${address}]` : address}:${running.port}`;
    const command = `kerb join ${at} --token ${id}.${secret} --ca-hash ${caHash(connection.ca!)}`;
    return { command, expires };
  } finally {
    client.close();
  }
}
