// What the agent keeps at the site: how it first came to the hub, and who it is there now. Secrets of the
// site, by Open Cluster Management's names, so that whoever backs the site up has them.
import { X509Certificate } from "node:crypto";
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { namesFiles, parseCluster, parseKubeconfig } from "../../client/kubeconfig.ts";
import type { Connection } from "../../client/kubeconfig.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";
import { agentNamespace, bootstrapSecret, hubSecret } from "../names.ts";

export const secrets = resource("v1", "secrets");
const namespaces = resource("v1", "namespaces");
/** A certificate is renewed when less of its life is left. */
const renewalShare = 0.25;

export interface Credentials {
  connection: Connection;
  cluster: string;
  agent: string;
  /** Wall clock, milliseconds. */
  notBefore: number;
  notAfter: number;
}

const textOf = (secret: KubeObject, key: string) =>
  Buffer.from(secret["data"]?.[key] ?? "", "base64").toString();

/** A kubeconfig with everything in it; JSON is YAML. */
export function kubeconfigOf(
  { server, ca }: Pick<Connection, "server" | "ca">,
  user: Record<string, string>,
): string {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  return `${JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [
        {
          name: "hub",
          cluster: { server, ...(ca && { "certificate-authority-data": base64(ca) }) },
        },
      ],
      users: [{ name: "agent", user }],
      contexts: [{ name: "hub", context: { cluster: "hub", user: "agent" } }],
      "current-context": "hub",
    },
    null,
    2,
  )}\n`;
}

/** With which the agent first comes; the site's name there is `cluster-name`. */
export function bootstrapOf(secret: KubeObject): { connection: Connection; cluster: string } {
  const connection = parseKubeconfig(textOf(secret, "kubeconfig"));
  return { connection, cluster: textOf(secret, "cluster-name") };
}

/** Agents of Open Cluster Management are told the cluster's name otherwise; their invitation is not this agent's. */
export const isInvitation = (secret: KubeObject) => textOf(secret, "cluster-name") !== "";

/** Those agents keep their Secret by the same name; their kubeconfig names files of a pod. */
const isOfOthers = (kubeconfig: string) => kubeconfig !== "" && namesFiles(kubeconfig);

/** Undefined for a secret that is not whole, or is another agent's: one identity has one agent. */
export function credentialsOf(secret: KubeObject): Credentials | undefined {
  const [cert, key] = [textOf(secret, "tls.crt"), textOf(secret, "tls.key")];
  const [cluster, agent] = [textOf(secret, "cluster-name"), textOf(secret, "agent-name")];
  const kubeconfig = textOf(secret, "kubeconfig");
  if (!cert || !key || !cluster || !agent || isOfOthers(kubeconfig)) return undefined;
  const connection = { ...parseCluster(kubeconfig), cert, key };
  const { validFrom, validTo } = new X509Certificate(cert);
  return {
    ...{ connection, cluster, agent },
    ...{ notBefore: Date.parse(validFrom), notAfter: Date.parse(validTo) },
  };
}

/** Pure. */
export function isDueForRenewal({ notBefore, notAfter }: Credentials, lifeMs: number, now: number) {
  const life = Math.min(notAfter - notBefore, lifeMs);
  return now > notAfter - life * renewalShare;
}

/** Replaces the Secret's content. */
export async function saveSecret(site: Client, name: string, texts: Record<string, string>) {
  const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name: agentNamespace } };
  await apply(site, namespaces, namespace, { fieldManager: "kerb-agent" });
  const encoded = Object.entries(texts).map(([key, text]) => [
    key,
    Buffer.from(text).toString("base64"),
  ]);
  const metadata = { name, namespace: agentNamespace };
  const data = Object.fromEntries(encoded);
  const secret = { apiVersion: "v1", kind: "Secret", metadata, data };
  await apply(site, secrets, secret, { fieldManager: "kerb-agent" });
}

/** The site knows of no hub any more. */
export async function forgetHub(site: Client) {
  for (const name of [bootstrapSecret, hubSecret]) {
    await site.delete({ ...secrets, namespace: agentNamespace, name }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
}

export interface Issued {
  /** PEM texts. */
  cert: string;
  key: string;
}

export function saveCredentials(
  site: Client,
  connection: Pick<Connection, "server" | "ca">,
  { cert, key, cluster, agent }: Issued & { cluster: string; agent: string },
) {
  const base64 = (text: string) => Buffer.from(text).toString("base64");
  const user = { "client-certificate-data": base64(cert), "client-key-data": base64(key) };
  return saveSecret(site, hubSecret, {
    kubeconfig: kubeconfigOf(connection, user),
    "tls.crt": cert,
    "tls.key": key,
    "cluster-name": cluster,
    "agent-name": agent,
  });
}
