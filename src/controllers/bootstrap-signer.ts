// Signs the ConfigMap `cluster-info` of kube-public with every bootstrap token that may sign, so that a new
// machine that knows a token alone can tell whether it was told of the right cluster.
// https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/#configmap-signing
import { createHmac } from "node:crypto";
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller } from "./runtime.ts";
import { expiryOf } from "./token-cleaner.ts";

const configMaps = resource("v1", "configmaps");
const secrets = resource("v1", "secrets");
const namespace = "kube-public";
const name = "cluster-info";
const key = `${namespace}/${name}`;
const signaturePrefix = "jws-kubeconfig-";

const field = (secret: KubeObject, named: string) =>
  Buffer.from(secret["data"]?.[named] ?? "", "base64").toString();

const base64 = (text: string) => Buffer.from(text).toString("base64url");

/** A detached JWS (RFC 7515, appendix F) by HMAC-SHA256. */
export function signatureOf(content: string, tokenId: string, tokenSecret: string): string {
  const header = base64(JSON.stringify({ alg: "HS256", kid: tokenId }));
  const hmac = createHmac("sha256", tokenSecret).update(`${header}.${base64(content)}`);
  return `${header}..${hmac.digest("base64url")}`;
}

/** All signatures by the keys of the ConfigMap they belong under. Pure. */
export function signaturesOf(content: string, tokens: KubeObject[], nowMs: number) {
  const signers = tokens.filter((secret) => {
    const isOver = (expiryOf(secret) ?? Number.POSITIVE_INFINITY) <= nowMs;
    const isNamed = secret.metadata.name === `bootstrap-token-${field(secret, "token-id")}`;
    return isNamed && !isOver && field(secret, "usage-bootstrap-signing") === "true";
  });
  const signed = signers.map((secret) => {
    const id = field(secret, "token-id");
    return [signaturePrefix + id, signatureOf(content, id, field(secret, "token-secret"))];
  });
  return Object.fromEntries(signed) as Record<string, string>;
}

export const bootstrapSigner: Controller = {
  name: "bootstrap-signer",
  inputs: [
    { resource: configMaps, fieldSelector: `metadata.name=${name}` },
    {
      resource: secrets,
      fieldSelector: "type=bootstrap.kubernetes.io/token",
      keys: () => [key],
    },
  ],
  outputs: [configMaps],
  async reconcile(asked, { client, clock, informer }) {
    if (asked !== key) return;
    const info = informer(configMaps).get(name, namespace);
    const content = info?.["data"]?.kubeconfig;
    if (typeof content !== "string") return;
    const ofSystem = informer(secrets)
      .list()
      .filter(({ metadata }) => metadata.namespace === "kube-system");
    const wanted = signaturesOf(content, ofSystem, clock.now());
    const data: Record<string, string | null> = {};
    for (const [at, signature] of Object.entries(wanted)) {
      if (info!["data"][at] !== signature) data[at] = signature;
    }
    for (const at of Object.keys(info!["data"])) {
      if (at.startsWith(signaturePrefix) && !(at in wanted)) data[at] = null;
    }
    if (Object.keys(data).length === 0) return;
    const { resourceVersion } = info!.metadata;
    const patch = { metadata: { resourceVersion }, data };
    await client
      .patch({ ...configMaps, namespace, name }, "merge", patch as never)
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound", "Conflict")) throw error;
      });
  },
};
