// Which certificates of a site may be followed by another: the one it showed when it last asked, and what it got
// for it, which may have been lost on the way. An older one, on a disk that was thrown away say, brings nobody in.
// Kept where the site cannot write.
import { createHash, X509Certificate } from "node:crypto";
import { apply } from "../../client/apply.ts";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { isStatus } from "../../lib/status-error.ts";

const configMaps = resource("v1", "configmaps");
const name = "site-certificates";

/** Of a PEM text, as an API server names it to those who ask who somebody is. */
export function fingerprintOf(pem: string): string {
  const { raw } = new X509Certificate(pem);
  return `X509SHA256=${createHash("sha256").update(raw).digest("hex")}`;
}

export interface Lineage {
  certificates: string[];
  /** RFC 3339: when the last of them was asked for, by the hub's clock. */
  askedAt: string;
}

export interface Given {
  /** The certificate by which it was asked for; undefined: by none, or one of another hub. */
  shown: string | undefined;
  certificate: string;
  askedAt: string;
}

/** What is known after a certificate was given. Requests are looked at again and again, so older ones change nothing. Pure. */
export function nextLineage(
  known: Lineage | undefined,
  { shown, certificate, askedAt }: Given,
): Lineage {
  if (known && (known.certificates.includes(certificate) || askedAt < known.askedAt)) return known;
  const isFollowed = shown !== undefined && known?.certificates.includes(shown);
  return { certificates: isFollowed ? [shown, certificate] : [certificate], askedAt };
}

/** Undefined when no certificate was given yet, as far as this hub remembers. */
export async function lineageOf(client: Client, cluster: string): Promise<Lineage | undefined> {
  try {
    const { data } = await client.get<any>({ ...configMaps, namespace: cluster, name });
    const certificates = String(data?.certificates ?? "")
      .split(" ")
      .filter(Boolean);
    return { certificates, askedAt: String(data?.askedAt ?? "") };
  } catch (error) {
    if (isStatus(error, "NotFound")) return undefined;
    throw error;
  }
}

/** Throws NotFound while the site has no namespace. */
export async function writeLineage(client: Client, cluster: string, lineage: Lineage) {
  const metadata = { name, namespace: cluster };
  const data = { certificates: lineage.certificates.join(" "), askedAt: lineage.askedAt };
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data };
  await apply(client, configMaps, object, { fieldManager: "kerb-hub" });
}
