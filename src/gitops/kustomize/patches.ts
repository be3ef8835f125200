// Patches of a kustomization: strategic merge or JSON patches, on the objects that their target chooses. Pure.
import { parse } from "yaml";
import { jsonPatch } from "../../lib/patch/json-patch.ts";
import { parseLabelSelector } from "../../lib/selector.ts";
import { groupOf, versionOf } from "./object.ts";
import type { BuildObject } from "./object.ts";

export interface PatchTarget {
  group?: string;
  version?: string;
  kind?: string;
  name?: string;
  namespace?: string;
  labelSelector?: string;
  annotationSelector?: string;
}

export interface Patch {
  patch: string;
  target?: PatchTarget;
}

/** `mergePatch` where the kind has no rules of its own. */
export type StrategicMerge = (object: BuildObject, patch: any) => BuildObject;

/** As a whole, as kustomize's expressions are. */
const fits = (wanted: string | undefined, value: string) =>
  wanted === undefined || wanted === "" || new RegExp(`^(?:${wanted})$`).test(value);

function isTarget(target: PatchTarget, object: BuildObject): boolean {
  const { labels = {}, annotations = {}, name, namespace = "" } = object.metadata;
  return (
    fits(target.group, groupOf(object)) &&
    fits(target.version, versionOf(object)) &&
    fits(target.kind, object.kind) &&
    fits(target.name, name) &&
    fits(target.namespace, namespace) &&
    (!target.labelSelector || parseLabelSelector(target.labelSelector)(labels)) &&
    (!target.annotationSelector || parseLabelSelector(target.annotationSelector)(annotations))
  );
}

/** What a patch without a target is for. */
function named(patch: any): PatchTarget {
  const { apiVersion = "", kind, metadata } = patch ?? {};
  if (!kind || !metadata?.name)
    throw new Error("a patch without a target needs kind and metadata.name");
  const exact = (text: string) => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
  const group = apiVersion.includes("/") ? apiVersion.slice(0, apiVersion.indexOf("/")) : "";
  const { name, namespace } = metadata;
  return {
    ...(group && { group: exact(group) }),
    ...{ kind: exact(kind), name: exact(name) },
    ...(namespace && { namespace: exact(namespace) }),
  };
}

/** Throws an Error for a patch that nothing is for, since a name was misspelt then. */
export function applyPatch(
  objects: BuildObject[],
  { patch: text, target }: Patch,
  strategic: StrategicMerge,
): BuildObject[] {
  const patch = parse(text);
  const isJson = Array.isArray(patch);
  if (isJson && !target) throw new Error("a JSON patch needs a target");
  const chosen = target ?? named(patch);
  let found = 0;
  const result = objects.flatMap((object) => {
    if (!isTarget(chosen, object)) return [object];
    found++;
    if (isJson) return [jsonPatch(object, patch) as BuildObject];
    if (patch?.$patch === "delete") return [];
    const { name, namespace } = object.metadata;
    // A patch with a target may bear any name.
    const own = { ...patch, kind: object.kind, apiVersion: object.apiVersion };
    const metadata = { ...patch?.metadata, name, ...(namespace && { namespace }) };
    return [strategic(object, { ...own, metadata })];
  });
  if (found === 0) {
    throw new Error(`no object is as the patch's target says: ${JSON.stringify(chosen)}`);
  }
  return result;
}
