// Server-side apply (KEP-555): a manager tells the fields it has an opinion on; the object becomes
// what all managers together say, and a manager that wants another value than the owner's gets a
// conflict.
import { apiVersionOf, type Kind } from "../../kinds/kind.ts";
import type { Draft, KubeObject, ManagedFieldsEntry } from "../../kinds/object.ts";
import type { Definitions } from "../../kinds/schema.ts";
import { jsonEqual } from "../../lib/json.ts";
import { badRequest, invalid } from "../../lib/status-error.ts";
import { addedToRoot } from "./added-fields.ts";
import { appliedFields } from "./applied-fields.ts";
import { compareObjects } from "./compare.ts";
import { difference, emptySet, intersection, isEmpty, union, withoutTrees } from "./field-set.ts";
import type { FieldSet } from "./field-set.ts";
import { rootTypeOf, type FieldType } from "./field-type.ts";
import { allowedByLastApplied, refreshLastApplied } from "./last-applied.ts";
import {
  applyConflict,
  arrange,
  conflictsOf,
  fieldsOfEntry,
  isOf,
  makeEntry,
  sameEntries,
  unionOf,
  withFields,
  type ManagerId,
} from "./managers.ts";
import { mergeMaps } from "./merge.ts";
import { pruneMap } from "./prune.ts";

export interface ApplyOptions {
  kind: Kind;
  definitions: Definitions;
  /** The stored object; absent when the apply creates it. */
  live?: KubeObject;
  /** What the client sent. */
  config: Draft;
  manager: string | undefined;
  force: boolean;
  /** "" for the object itself. */
  subresource: string;
  /** Now, as `meta/v1 Time`. */
  time: string;
}

/**
 * The object after the apply, managedFields included, before defaults and validation. Returns
 * `live` itself when the apply changes nothing. Throws Conflict, BadRequest, Invalid or
 * BadRequest (a configuration that does not fit the schema; upstream calls that an InternalError).
 */
export function applyObject(options: ApplyOptions): KubeObject {
  const { kind, definitions, live, config, force, subresource, time } = options;
  if (!options.manager) throw managerRequired();
  if (config.metadata?.managedFields?.length) {
    throw badRequest("metadata.managedFields must be nil");
  }
  const id: ManagerId = {
    manager: options.manager,
    operation: "Apply",
    apiVersion: apiVersionOf(kind),
    subresource,
  };
  const isKubectl = options.manager === "kubectl" && subresource === "";
  const type = rootTypeOf(kind, subresource, definitions);
  const applied = configFields(type, config);
  const entries = live ? storedEntries(type, live, id.apiVersion, time) : [];
  const base = withoutEntries(live ?? { apiVersion: config.apiVersion, kind: config.kind });
  const mine = entries.find((entry) => isOf(entry, id));
  const others = entries.filter((entry) => entry !== mine);

  const last = mine ? fieldsOfEntry(mine) : emptySet;
  const kept = union(unionOf(others), applied);
  const merged = pruneMap(type, mergeMaps(type, base, config), last, kept) as KubeObject;

  const { changed = emptySet, removed = emptySet } = compareObjects(type, base, merged);
  const lost = (entry: ManagedFieldsEntry) => intersection(fieldsOfEntry(entry), changed);
  if (!force) {
    const allowed = isKubectl ? allowedByLastApplied(type, base) : emptySet;
    const conflicts = others.flatMap((entry) =>
      conflictsOf(entry, difference(lost(entry), allowed)),
    );
    if (conflicts.length > 0) throw applyConflict(conflicts);
  }
  const rest = others.flatMap(
    (entry) =>
      withFields(entry, difference(withoutTrees(fieldsOfEntry(entry), removed), changed)) ?? [],
  );
  const next = isEmpty(applied) ? rest : [...rest, makeEntry(id, time, applied)];
  const arranged = arrange(next);
  const result = isKubectl ? refreshLastApplied(merged, config) : merged;
  if (live && sameEntries(arranged, arrange(live.metadata.managedFields ?? []))) {
    if (jsonEqual(result, base)) return live;
  }
  return withEntries(result, arranged);
}

const managerRequired = () =>
  invalid("PatchOptions", "meta.k8s.io", "", [
    {
      type: "FieldValueRequired",
      field: "fieldManager",
      message: "Required value: is required for apply patch",
    },
  ]);

function configFields(type: FieldType, config: Draft): FieldSet {
  const errors: string[] = [];
  const set = appliedFields(type, config, errors);
  if (errors.length === 0) return set;
  const { namespace = "", name = "" } = config.metadata ?? {};
  const what = `${namespace}/${name}; ${config.apiVersion}, Kind=${config.kind}`;
  const why =
    errors.length === 1 ? errors[0] : `errors:\n${errors.map((e) => `  ${e}`).join("\n")}`;
  const message = `failed to create typed patch object (${what}): ${why}`;
  throw badRequest(message);
}

/** What a live object without managed fields holds belongs to whoever wrote it before. */
function storedEntries(type: FieldType, live: KubeObject, apiVersion: string, time: string) {
  const entries = live.metadata.managedFields;
  if (entries && entries.length > 0) return entries;
  const before = { manager: "before-first-apply", operation: "Update", subresource: "" } as const;
  const set = addedToRoot(type, live);
  return isEmpty(set) ? [] : [makeEntry({ ...before, apiVersion }, time, set)];
}

function withoutEntries(object: Draft): Draft {
  if (!object.metadata?.managedFields) return object;
  const { managedFields: _, ...metadata } = object.metadata;
  return { ...object, metadata };
}

function withEntries(object: KubeObject, entries: ManagedFieldsEntry[]): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata;
  return {
    ...object,
    metadata: entries.length > 0 ? { ...metadata, managedFields: entries } : metadata,
  };
}
