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
const key = "certificates";

/** Of a PEM text, as an API server names it to those who ask who somebody is. */
export function fingerprintOf(pem: string): string {
  const { raw } = new X509Certificate(pem);
  return `X509SHA256=${createHash("sha256").update(raw).digest("hex")}`;
}

/** What is known after a certificate was given to whoever showed `shown`. Pure. */
export function nextLineage(known: string[], shown: string | undefined, given: string): string[] {
  if (known.includes(given)) return known;
  const before = shown !== undefined && known.includes(shown) ? [shown] : [];
  return [...before, given];
}

/** Undefined when no certificate was given yet, as far as this hub remembers. */
export async function lineageOf(client: Client, cluster: string): Promise<string[] | undefined> {
  try {
    const found = await client.get<any>({ ...configMaps, namespace: cluster, name });
    return String(found.data?.[key] ?? "")
      .split(" ")
      .filter(Boolean);
  } catch (error) {
    if (isStatus(error, "NotFound")) return undefined;
    throw error;
  }
}

/** Throws NotFound while the site has no namespace. */
export async function writeLineage(client: Client, cluster: string, lineage: string[]) {
  const metadata = { name, namespace: cluster };
  const data = { [key]: lineage.join(" ") };
  const object = { apiVersion: "v1", kind: "ConfigMap", metadata, data };
  await apply(client, configMaps, object, { fieldManager: "kerb-hub" });
}
