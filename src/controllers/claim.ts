// Which objects belong to a controller's object: those it owns, and orphans that its selector matches,
// which it adopts; what it owns and no longer matches, it releases (controller_ref_manager upstream).
import { resource } from "../client/client.ts";
import type { Resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { controllerOf } from "../kinds/object.ts";
import { compileSelector } from "../lib/label-selector.ts";
import { conflict, isStatus } from "../lib/status-error.ts";
import { controllerReference } from "./pod-template.ts";
import type { ControllerContext, Input, Key } from "./runtime.ts";

export const pods = resource("v1", "pods");

const keyOf = ({ metadata }: KubeObject): Key => `${metadata.namespace}/${metadata.name}`;

/** A ReplicationController's selector is a plain map of labels. */
const selectorOf = ({ kind, spec }: KubeObject) =>
  compileSelector(
    kind === "ReplicationController" ? { matchLabels: spec.selector } : spec.selector,
  );

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
      .filter((one) => selectorOf(one)(object.metadata.labels));
    return [...new Set([...keys, ...orphan.map(keyOf)])];
  };
}

/** What is adopted gets `finalizer`, what is released loses it. */
export interface ClaimOptions {
  finalizer?: string;
  /** Besides the selector: what does not pass is not adopted, and is released. */
  filter?: (object: KubeObject) => boolean;
}

/** The objects of `from` that are `owner`'s, after adopting and releasing. */
export async function claim(
  owner: KubeObject,
  from: Resource,
  context: ControllerContext,
  { finalizer, filter = () => true }: ClaimOptions = {},
): Promise<KubeObject[]> {
  const matches = selectorOf(owner);
  const own: KubeObject[] = [];
  let checked: Promise<void> | undefined;
  for (const object of context.informer(from).list(owner.metadata.namespace)) {
    const controller = controllerOf(object);
    const selected = matches(object.metadata.labels) && filter(object);
    if (controller) {
      if (controller.uid !== owner.metadata.uid) continue;
      if (selected) own.push(object);
      else if (!owner.metadata.deletionTimestamp) {
        const left = withoutOwner(object, owner, finalizer);
        await release(from, object, left, context);
      }
    } else if (
      selected &&
      !object.metadata.deletionTimestamp &&
      !owner.metadata.deletionTimestamp
    ) {
      checked ??= checkOwner(owner, context);
      await checked;
      const adopted = await adopt(from, object, withOwner(object, owner, finalizer), context);
      if (adopted) own.push(adopted);
    }
  }
  return own;
}

/** Where the owner of claimed objects is served; such kinds all have plain plurals. */
const resourceOf = ({ apiVersion, kind }: KubeObject) =>
  resource(apiVersion, `${kind.toLowerCase()}s`);

/** The part of metadata that says whose an object is. */
interface Belonging {
  ownerReferences: object[];
  finalizers?: string[];
}

const withOwner = ({ metadata }: KubeObject, owner: KubeObject, finalizer?: string): Belonging => ({
  ownerReferences: [...(metadata.ownerReferences ?? []), controllerReference(owner)],
  ...(finalizer && { finalizers: [...new Set([...(metadata.finalizers ?? []), finalizer])] }),
});

const withoutOwner = (
  { metadata }: KubeObject,
  owner: KubeObject,
  finalizer?: string,
): Belonging => ({
  ownerReferences: (metadata.ownerReferences ?? []).filter(({ uid }) => uid !== owner.metadata.uid),
  ...(finalizer && {
    finalizers: (metadata.finalizers ?? []).filter((one) => one !== finalizer),
  }),
});

/** Guarded by the version seen, so that nobody's reference is lost. */
const patchBelonging = (
  from: Resource,
  { metadata }: KubeObject,
  belonging: Belonging,
  { client }: ControllerContext,
) => {
  const { name, namespace, uid, resourceVersion } = metadata;
  return client.patch({ ...from, namespace, name }, "merge", {
    metadata: { uid, resourceVersion, ...belonging },
  });
};

/**
 * Throws when the owner, asked for live, is going or gone: one that is deleted with its dependents
 * orphaned must not take them back because a cache is late.
 */
async function checkOwner(owner: KubeObject, { client }: ControllerContext) {
  const { name, namespace, uid } = owner.metadata;
  const live = await client.get({ ...resourceOf(owner), namespace, name });
  if (live.metadata.uid !== uid || live.metadata.deletionTimestamp) {
    throw conflict(resourceOf(owner), name, "it is being deleted and adopts nothing");
  }
}

/** Throws Conflict when the object is newer than the cache: without it, one too many would be made. */
const adopt = (
  from: Resource,
  object: KubeObject,
  belonging: Belonging,
  context: ControllerContext,
) =>
  patchBelonging(from, object, belonging, context).catch((error: unknown) => {
    if (isStatus(error, "NotFound")) return undefined;
    throw error;
  });

const release = (
  from: Resource,
  object: KubeObject,
  belonging: Belonging,
  context: ControllerContext,
) =>
  patchBelonging(from, object, belonging, context).catch((error: unknown) => {
    if (!isStatus(error, "NotFound", "Invalid")) throw error;
  });
