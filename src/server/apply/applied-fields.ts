// The fields that an apply configuration tells, as structured-merge-diff's ToFieldSet: leaves,
// items of lists and entries of maps, but not the structs between. A configuration that cannot be
// one is an error, collected in the words of upstream.
import { isObject } from "../../lib/json.ts";
import { leaf, printPath, type FieldSet } from "./field-set.ts";
import { anyType, type FieldType } from "./field-type.ts";
import { elementOf, missingKey, type JsonMap } from "./items.ts";

/**
 * A place in a configuration and what is wrong there: `.spec.foo: field not declared in schema`.
 */
export type TypeErrors = string[];

/** Every path of the configuration below a root of type `type`; errors are added to `errors`. */
export const appliedFields = (type: FieldType, config: JsonMap, errors: TypeErrors): FieldSet =>
  fieldsOfMap(type, config, [], errors);

/** The paths below `value`; undefined for a leaf. */
function fieldsBelow(type: FieldType, value: unknown, path: string[], errors: TypeErrors) {
  const wrong = typeError(type, value);
  if (wrong) errors.push(`${printPath(path)}: ${wrong}`);
  if (wrong || typeof value !== "object" || value === null) return undefined;
  if (type.shape === "leaf") return undefined;
  if (!Array.isArray(value)) return fieldsOfMap(type, value as JsonMap, path, errors);
  return type.shape === "any" ? undefined : fieldsOfList(type, value, path, errors);
}

function fieldsOfMap(type: FieldType, value: JsonMap, path: string[], errors: TypeErrors) {
  const out: FieldSet = {};
  for (const name of Object.keys(value)) {
    const field = type.fields?.get(name);
    if (field?.ignored) continue;
    const element = field?.element ?? `f:${name}`;
    const childPath = [...path, element];
    const childType = field ? field.type() : type.shape === "any" ? anyType : type.rest?.();
    if (!childType) {
      errors.push(`${printPath(childPath)}: field not declared in schema`);
      continue;
    }
    const child = fieldsBelow(childType, value[name], childPath, errors);
    if (!child) out[element] = leaf;
    else if (!field) out[element] = member(child);
    else if (!isNothing(child)) out[element] = child;
    else if (isNothing(value[name])) out[element] = leaf;
  }
  return out;
}

function fieldsOfList(type: FieldType, list: unknown[], path: string[], errors: TypeErrors) {
  const out: FieldSet = {};
  list.forEach((item, index) => {
    const missing = type.shape === "list" ? missingKey(type, item) : undefined;
    if (missing !== undefined) {
      errors.push(
        `${printPath(path)}: element ${index}: associative list with keys has an element that ` +
          `omits key field ${JSON.stringify(missing)} (and doesn't have default value)`,
      );
      return;
    }
    const element = elementOf(type, item, index);
    if (out[element]) {
      const what = printPath([element]);
      errors.push(`${printPath(path)}: duplicate entries for key ${what}`);
      return;
    }
    const itemType = type.item?.();
    const child = itemType && fieldsBelow(itemType, item, [...path, element], errors);
    out[element] = child ? member(child) : leaf;
  });
  return out;
}

const isNothing = (set: object) => Object.keys(set).length === 0;
const member = (set: FieldSet): FieldSet => (isNothing(set) ? leaf : { ".": leaf, ...set });

function typeError(type: FieldType, value: unknown): string | undefined {
  if (value === null || value === undefined || !type.json) return undefined;
  switch (type.json) {
    case "map":
      return isObject(value) ? undefined : `expected map, got ${print(value)}`;
    case "list":
      return Array.isArray(value) ? undefined : `expected list, got ${print(value)}`;
    case "number":
      if (typeof value === "number" || typeof value === "bigint") return undefined;
      return `expected numeric (int or float), got ${typeName(value)}`;
    default:
      return typeof value === type.json ? undefined : `expected ${type.json}, got ${print(value)}`;
  }
}

const print = (value: unknown) => `&{${JSON.stringify(value)}}`;
const typeName = (value: unknown) =>
  Array.isArray(value) ? "list" : isObject(value) ? "map" : typeof value;
