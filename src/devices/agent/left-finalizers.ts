// What an agent of Akri's left on objects: its node's name as a finalizer. Where Kerb's agent has taken its place
// nobody else would take it away, and the object would never go.
import { apply } from "../../client/apply.ts";
import type { Client, Resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";

/** Of an object that goes, takes away the finalizers of `nodes`, as each node's own agent would. */
export async function releaseLeft(
  client: Client,
  of: Resource,
  { apiVersion, kind, metadata }: KubeObject,
  nodes: string[],
) {
  if (!metadata.deletionTimestamp) return;
  const { name, namespace, uid } = metadata;
  for (const node of nodes) {
    if (!metadata.finalizers?.includes(node)) continue;
    const draft = { apiVersion, kind, metadata: { name, namespace, uid } };
    await apply(client, of, draft as any, { fieldManager: `${node}-fin` }).catch((error) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
  }
}
