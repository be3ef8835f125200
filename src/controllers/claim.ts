// Which objects belong to a controller's object: those it owns, and orphans that its selector matches,
// which it adopts; what it owns and no longer matches, it releases (controller_ref_manager upstream).
import { resource } from "../client/client.ts";
import type { Resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { controllerOf } from "../kinds/object.ts";
import { compileSelector } from "../lib/label-selector.ts";
import { isStatus } from "../lib/status-error.ts";
import { controllerReference } from "./pod-template.ts";
import type { ControllerContext, Input, Key } from "./runtime.ts";

export const pods = resource("v1", "pods");

const keyOf = ({ metadata }: KubeObject): Key => `${metadata.namespace}/${metadata.name}`;

/** Wakes the controlling owner of an object, or whoever of `owners` selects an orphan. */
export function ownerKeys(owners: Resource, kind: string): NonNullable<Input["keys"]> {
  return (object, context, previous) => {
    const owner = controllerOf(object);
    const before = previous && controllerOf(previous);
    const keys = [owner, before]
      .filter((reference) => reference?.kind === kind)
      .map((reference) => `${object.metadata.namespace}/${reference!.name}`);
    if (owner) return [...new Set(keys)];
    const orphan = context
      .informer(owners)
      .list(object.metadata.namespace)
      .filter(({ spec }) => compileSelector(spec.selector)(object.metadata.labels));
    return [...new Set([...keys, ...orphan.map(keyOf)])];
  };
}

/** The objects of `from` that are `owner`'s, after adopting and releasing. */
export async function claim(
  owner: KubeObject,
  from: Resource,
  context: ControllerContext,
): Promise<KubeObject[]> {
  const matches = compileSelector(owner.spec.selector);
  const own: KubeObject[] = [];
  for (const object of context.informer(from).list(owner.metadata.namespace)) {
    const controller = controllerOf(object);
    const selected = matches(object.metadata.labels);
    if (controller) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (selected) own.push(object);
      else await release(owner, from, object, context);
    } else if (
      selected &&
      !object.metadata.deletionTimestamp &&
      !owner.metadata.deletionTimestamp
    ) {
      const adopted = await adopt(owner, from, object, context);
      if (adopted) own.push(adopted);
    }
  }
  return own;
}

const patchOwners = (
  from: Resource,
  { metadata }: KubeObject,
  ownerReferences: object[],
  { client }: ControllerContext,
) =>
  client
    .patch({ ...from, namespace: metadata.namespace, name: metadata.name }, "merge", {
      metadata: { uid: metadata.uid, ownerReferences },
    })
    .catch((error: unknown) => {
      if (isStatus(error, "NotFound", "Conflict", "Invalid")) return undefined;
      throw error;
    });

function adopt(owner: KubeObject, from: Resource, object: KubeObject, context: ControllerContext) {
  const owners = [...(object.metadata.ownerReferences ?? []), controllerReference(owner)];
  return patchOwners(from, object, owners, context);
}

async function release(
  owner: KubeObject,
  from: Resource,
  object: KubeObject,
  context: ControllerContext,
) {
  const owners = (object.metadata.ownerReferences ?? []).filter(
    ({ uid }) => uid !== owner.metadata.uid,
  );
  await patchOwners(from, object, owners, context);
}
