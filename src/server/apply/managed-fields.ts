// Ownership after an ordinary write (create, update, patch): what it changed now belongs to the
// writer alone, what it removed belongs to nobody (KEP-555). Runs on every write, so a create is
// one walk and an update costs what it changed.
import type { Kind } from "../../kinds/kind.ts";
import { apiVersionOf } from "../../kinds/kind.ts";
import type { KubeObject, ManagedFieldsEntry } from "../../kinds/object.ts";
import type { Definitions } from "../../kinds/schema.ts";
import { jsonEqual } from "../../lib/json.ts";
import { addedToRoot } from "./added-fields.ts";
import { compareObjects } from "./compare.ts";
import {
  difference,
  emptySet,
  equalSets,
  isEmpty,
  union,
  withoutTrees,
  type FieldSet,
} from "./field-set.ts";
import { rootTypeOf } from "./field-type.ts";
import {
  arrange,
  fieldsOfEntry,
  isOf,
  isReset,
  makeEntry,
  readEntries,
  withFields,
  type ManagerId,
} from "./managers.ts";

export interface UpdateOptions {
  kind: Kind;
  definitions: Definitions;
  /** The object as it will be stored. Its managedFields are what the client sent, if anything. */
  object: KubeObject;
  /** The stored object before; absent on create. */
  old?: KubeObject;
  manager: string;
  /** "" for the object itself. */
  subresource: string;
  /** Now, as `meta/v1 Time`. */
  time: string;
}

/**
 * The managedFields of `object` after an ordinary write; undefined when nobody is to own anything.
 */
export function updateManagedFields(options: UpdateOptions): ManagedFieldsEntry[] | undefined {
  const { kind, definitions, object, old, subresource, time } = options;
  const type = rootTypeOf(kind, subresource, definitions);
  const id: ManagerId = {
    manager: options.manager,
    operation: "Update",
    apiVersion: apiVersionOf(kind),
    subresource,
  };
  const entries = currentEntries(object, old, subresource);
  if (!old) {
    const set = addedToRoot(type, object);
    if (entries.length === 0) return isEmpty(set) ? undefined : [makeEntry(id, time, set)];
    return claim(entries, id, time, set, emptySet);
  }
  // An object whose managed fields were cleared stays without, until somebody applies to it.
  if (entries.length === 0) return undefined;
  const { changed = emptySet, removed = emptySet } = compareObjects(type, old, object);
  if (changed === emptySet && removed === emptySet) return entries;
  return claim(entries, id, time, changed, removed);
}

function claim(
  entries: ManagedFieldsEntry[],
  id: ManagerId,
  time: string,
  changed: FieldSet,
  removed: FieldSet,
): ManagedFieldsEntry[] | undefined {
  const out: ManagedFieldsEntry[] = [];
  let mine: ManagedFieldsEntry | undefined;
  for (const entry of entries) {
    const left = withoutTrees(fieldsOfEntry(entry), removed);
    if (isOf(entry, id)) {
      const set = union(left, changed);
      mine = equalSets(set, fieldsOfEntry(entry)) ? entry : makeEntry(id, time, set);
      if (!isEmpty(set)) out.push(mine);
    } else {
      const rest = withFields(entry, difference(left, changed));
      if (rest) out.push(rest);
    }
  }
  if (!mine && !isEmpty(changed)) out.push(makeEntry(id, time, changed));
  return out.length > 0 ? arrange(out) : undefined;
}

/**
 * The entries to start from: those the client sent, if it may set them and they can be read, else
 * the stored ones. `[{}]` starts from none.
 */
function currentEntries(object: KubeObject, old: KubeObject | undefined, subresource: string) {
  const stored = old?.metadata.managedFields ?? [];
  const sent = object.metadata.managedFields;
  if (!sent || sent === stored || sent.length === 0 || subresource !== "") return stored;
  if (isReset(sent)) return [];
  if (jsonEqual(sent, stored)) return stored;
  return readEntries(sent) ?? stored;
}
