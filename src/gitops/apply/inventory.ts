// What a Kustomization has applied, by Flux's ids, and what follows from two lists of it. Pure.
import { groupOf, versionOf } from "../kustomize/object.ts";
import type { BuildObject } from "../kustomize/object.ts";

export interface Entry {
  /** `NAMESPACE_NAME_GROUP_KIND`. */
  id: string;
  /** Version of its API. */
  v: string;
}

/** Colons cannot stand in an id of Flux's. */
const encodeName = (name: string) => name.replaceAll(":", "__");

export const entryOf = (object: BuildObject): Entry => {
  const { name, namespace = "" } = object.metadata;
  return {
    id: [namespace, encodeName(name), groupOf(object), object.kind].join("_"),
    v: versionOf(object),
  };
};

export interface Identity {
  namespace: string;
  name: string;
  group: string;
  kind: string;
  version: string;
}

export function identityOf({ id, v }: Entry): Identity {
  const [, namespace = "", name = "", group = "", kind = ""] =
    /^([^_]*)_(.*)_([^_]*)_([^_]*)$/.exec(id) ?? [];
  return { namespace, name: name.replaceAll("__", ":"), group, kind, version: v };
}

/** Entries of `before` that are not in `now`, last first: what came last is taken away first. */
export function staleEntries(before: Entry[], now: Entry[]): Entry[] {
  const kept = new Set(now.map(({ id }) => id));
  return before.filter(({ id }) => !kept.has(id)).toReversed();
}

const early = ["CustomResourceDefinition", "Namespace", "ClusterRole", "ServiceAccount"];

/** Definitions and namespaces come before what needs them. */
export function inOrder(objects: BuildObject[]): BuildObject[] {
  const rank = ({ kind }: BuildObject) =>
    early.includes(kind) ? early.indexOf(kind) : early.length;
  return objects.toSorted((a, b) => rank(a) - rank(b));
}
