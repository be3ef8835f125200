// A hub may replace its authority. While it trusts both, its sites learn of the new one by the ConfigMap that
// every namespace has, over a connection they trust already; once the new one signs, they ask for a certificate of
// it. So a site that hears its hub once in each phase never loses it.
import { X509Certificate } from "node:crypto";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { isStatus } from "../../lib/status-error.ts";

const configMaps = resource("v1", "configmaps");

const authoritiesIn = (pem: string) =>
  (pem.match(/-----BEGIN CERTIFICATE-----[^]+?-----END CERTIFICATE-----/g) ?? []).map(
    (one) => new X509Certificate(one),
  );

/** Whether two sets of authorities have one in common: then they are one hub's. Pure. */
export function shareAuthority(one = "", other = ""): boolean {
  if (one === other) return true;
  const known = new Set(authoritiesIn(one).map(({ fingerprint256 }) => fingerprint256));
  return authoritiesIn(other).some(({ fingerprint256 }) => known.has(fingerprint256));
}

/** Whether `cert` is of an authority that is trusted still and signs no more. Pure. */
export function isOfPrevious(cert: string, ca = ""): boolean {
  const [signing, ...others] = authoritiesIn(ca);
  const parsed = new X509Certificate(cert);
  if (!signing || parsed.verify(signing.publicKey)) return false;
  return others.some(({ publicKey }) => parsed.verify(publicKey));
}

/** The hub's authorities now, if they are others than `known` and share one with them. */
export async function newAuthorities(hub: Client, cluster: string, known = "") {
  const target = { ...configMaps, namespace: cluster, name: "kube-root-ca.crt" };
  try {
    const ca: unknown = (await hub.get(target))["data"]?.["ca.crt"];
    return typeof ca === "string" && ca !== known && shareAuthority(ca, known) ? ca : undefined;
  } catch (error) {
    // Hubs of others do not let their sites see it.
    if (isStatus(error, "NotFound", "Forbidden")) return undefined;
    throw error;
  }
}
