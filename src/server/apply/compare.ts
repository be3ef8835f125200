// What a write changed, by path. Subtrees that are one and the same value are passed over at once,
// so a patch that shares everything it did not touch costs only what it touched.
import { isObject, jsonEqual, own } from "../../lib/json.ts";
import { added, addedBelow } from "./added-fields.ts";
import { leaf, type FieldSet } from "./field-set.ts";
import { anyType, type FieldType } from "./field-type.ts";
import { itemsByElement, type JsonMap } from "./items.ts";

/** Paths below one node. Absent means none. A path in `removed` stands for all below it. */
export interface Changes {
  /** Added or given another value. */
  changed?: FieldSet;
  removed?: FieldSet;
}

/** Compares two objects of a root type. */
export function compareObjects(type: FieldType, old: JsonMap, now: JsonMap): Changes {
  const changes: Changes = {};
  if (old !== now) compareMaps(type, old, now, changes, true);
  return changes;
}

function compareMaps(type: FieldType, old: JsonMap, now: JsonMap, into: Changes, quiet: boolean) {
  const { fields } = type;
  for (const name in now) {
    const [before, after] = [own(old, name), now[name]];
    if (before === after) continue;
    const field = fields?.get(name);
    if (field?.ignored) continue;
    const childType = field ? field.type() : (type.rest?.() ?? anyType);
    compareChild(
      childType,
      field?.element ?? `f:${name}`,
      before,
      after,
      into,
      quiet && (field?.quiet ?? false),
    );
  }
  for (const name in old) {
    if (own(now, name) !== undefined || old[name] === undefined) continue;
    const field = fields?.get(name);
    if (!field?.ignored) (into.removed ??= {})[field?.element ?? `f:${name}`] = leaf;
  }
}

function compareChild(
  type: FieldType,
  element: string,
  before: unknown,
  after: unknown,
  into: Changes,
  quiet: boolean,
) {
  if (after === undefined) return;
  if (before === undefined) {
    const node = addedBelow(type, after, quiet);
    if (node) (into.changed ??= {})[element] = node;
    return;
  }
  const below: Changes = {};
  if (isByField(type) && isObject(before) && isObject(after)) {
    compareMaps(type, before, after, below, quiet);
  } else if (isByItem(type) && Array.isArray(before) && Array.isArray(after)) {
    compareLists(type, before, after, below);
  } else if (isContainer(type, before) || isContainer(type, after)) {
    (into.removed ??= {})[element] = leaf;
    (into.changed ??= {})[element] = added(type, after);
    return;
  } else {
    if (!jsonEqual(before, after)) (into.changed ??= {})[element] = leaf;
    return;
  }
  if (below.changed) (into.changed ??= {})[element] = below.changed;
  if (below.removed) (into.removed ??= {})[element] = below.removed;
}

const isByField = (type: FieldType) => type.shape === "map" || type.shape === "any";
const isByItem = (type: FieldType) => type.shape === "list" || type.shape === "set";
const isContainer = (type: FieldType, value: unknown) =>
  (isByField(type) && isObject(value)) || (isByItem(type) && Array.isArray(value));

function compareLists(type: FieldType, old: unknown[], now: unknown[], into: Changes) {
  const before = itemsByElement(type, old);
  const after = itemsByElement(type, now);
  const itemType = type.item?.();
  for (const [element, items] of after) {
    const olds = before.get(element);
    if (!olds) (into.changed ??= {})[element] = itemType ? added(itemType, items[0]) : leaf;
    else if (itemType && olds.length === 1 && items.length === 1) {
      if (olds[0] !== items[0]) compareChild(itemType, element, olds[0], items[0], into, false);
    } else if (itemType && !jsonEqual(olds, items)) (into.changed ??= {})[element] = leaf;
  }
  for (const element of before.keys()) {
    if (!after.has(element)) (into.removed ??= {})[element] = leaf;
  }
}
