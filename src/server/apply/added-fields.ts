// What the writer of a new value owns: every path in it. This is the hot path of create, one walk
// that yields `fieldsV1` as it goes.
import { isObject } from "../../lib/json.ts";
import { isEmpty, leaf, type FieldSet } from "./field-set.ts";
import { anyType, type FieldType } from "./field-type.ts";
import { elementOf, type JsonMap } from "./items.ts";

/** Every path of `value` below a root of type `type`. */
export const addedToRoot = (type: FieldType, value: JsonMap): FieldSet =>
  addedInMap(type, value, true, {});

/** Every path of `value`, itself included. */
export const added = (type: FieldType, value: unknown): FieldSet =>
  addedBelow(type, value, false) ?? leaf;

/**
 * Every path of `value`. `quiet`: all down to here stands in an empty object too, so is not itself
 * owned.
 */
export function addedBelow(type: FieldType, value: unknown, quiet: boolean): FieldSet | undefined {
  if (typeof value !== "object" || value === null || type.shape === "leaf") return leaf;
  const node: FieldSet = quiet ? {} : { ".": leaf };
  if (Array.isArray(value)) {
    if (type.shape === "any" || type.shape === "map" || value.length === 0) return leaf;
    const item = type.item?.();
    for (let i = 0; i < value.length; i++) {
      node[elementOf(type, value[i], i)] = item ? added(item, value[i]) : leaf;
    }
    return node;
  }
  if (type.shape !== "any" && type.shape !== "map") return leaf;
  const out = addedInMap(type, value as JsonMap, quiet, node);
  if (quiet) return isEmpty(out) ? undefined : out;
  for (const element in out) if (element !== ".") return out;
  return leaf;
}

function addedInMap(type: FieldType, value: JsonMap, quiet: boolean, out: FieldSet): FieldSet {
  const { fields } = type;
  for (const name in value) {
    const field = fields?.get(name);
    if (!field) {
      const child = value[name];
      out[`f:${name}`] =
        isObject(child) || Array.isArray(child) ? added(type.rest?.() ?? anyType, child) : leaf;
    } else if (!field.ignored) {
      const child = addedBelow(field.type(), value[name], quiet && field.quiet);
      if (child) out[field.element] = child;
    }
  }
  return out;
}
