import type { Draft, KubeObject } from "../kinds/object.ts";
import type { Client, Resource } from "./client.ts";

/**
 * Makes the fields in `object` so, and no others (server-side apply). A part of the system owns what it
 * applies, so by default it takes fields from whoever set them.
 */
export function apply<T extends KubeObject = KubeObject>(
  client: Client,
  resource: Resource,
  object: Draft & { metadata: { name: string } },
  { fieldManager, force = true }: { fieldManager: string; force?: boolean },
): Promise<T> {
  const { name, namespace } = object.metadata;
  return client.patch({ ...resource, namespace, name }, "apply", object, { fieldManager, force });
}
