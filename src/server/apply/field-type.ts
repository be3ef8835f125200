// How values of a schema are owned: as a whole, by field, by item. Compiled once per schema, lazily
// since schemas may contain themselves, so that walking an object touches no schema keywords.
import type { Kind } from "../../kinds/kind.ts";
import { resolve, type Definitions, type Schema } from "../../kinds/schema.ts";

export interface FieldType {
  /**
   * leaf: owned as a whole (scalars, atomic maps and lists); map: by field; list: by keyed item;
   * set: by value; any: no schema, so maps by field and everything else as a whole.
   */
  shape: "leaf" | "map" | "list" | "set" | "any";
  /** The JSON type values must have, where the schema says. */
  json?: "map" | "list" | "string" | "number" | "boolean";
  /** map: the fields that the schema names. */
  fields?: Map<string, Field>;
  /** map: the type of all other fields; absent when there may be none. */
  rest?: () => FieldType;
  /** list: the names of the key fields, sorted, with their defaults. */
  keys?: { name: string; fallback: unknown }[];
  /** list: the type of an item. */
  item?: () => FieldType;
}

export interface Field {
  /** The path element, `f:name`. */
  element: string;
  type: () => FieldType;
  /** Not owned by anybody: the server's own metadata, and what another subresource writes. */
  ignored: boolean;
  /**
   * Present in an empty object upstream (a struct that is no pointer), so creating it owns nothing.
   */
  quiet: boolean;
}

export const anyType: FieldType = { shape: "any" };
const anything = () => anyType;

const compiled = new WeakMap<Schema, FieldType>();

function typeOf(schema: Schema, definitions: Definitions): FieldType {
  const known = compiled.get(schema);
  if (known) return known;
  const type = compile(resolve(schema, definitions), definitions);
  compiled.set(schema, type);
  return type;
}

const lazily = (schema: Schema, definitions: Definitions) => {
  let type: FieldType | undefined;
  return () => (type ??= typeOf(schema, definitions));
};

function compile(schema: Schema, definitions: Definitions): FieldType {
  if (schema["x-kubernetes-int-or-string"]) return { shape: "leaf" };
  if (schema.type === "array") return compileList(schema, definitions);
  if (schema.type === "object" || schema.properties || schema.additionalProperties) {
    return compileMap(schema, definitions);
  }
  if (schema.type === undefined) {
    return schema["x-kubernetes-preserve-unknown-fields"] ? anyType : { shape: "leaf" };
  }
  return { shape: "leaf", json: schema.type === "integer" ? "number" : schema.type };
}

function compileMap(schema: Schema, definitions: Definitions): FieldType {
  if (schema["x-kubernetes-map-type"] === "atomic") return { shape: "leaf", json: "map" };
  const { properties, additionalProperties } = schema;
  const fields = new Map<string, Field>();
  for (const [name, property] of Object.entries(properties ?? {})) {
    fields.set(name, {
      element: `f:${name}`,
      type: lazily(property, definitions),
      ignored: false,
      quiet: isQuiet(name, property, schema.required?.includes(name) ?? false),
    });
  }
  const open = schema["x-kubernetes-preserve-unknown-fields"] || additionalProperties === true;
  const type: FieldType = { shape: "map", json: "map", fields };
  if (typeof additionalProperties === "object") {
    type.rest = lazily(additionalProperties, definitions);
  } else if (open || !properties) type.rest = anything;
  return type;
}

/**
 * Fields of built-in kinds (whose schemas are references) that hold structs and not pointers
 * upstream.
 */
const structFields = new Set([
  "metadata",
  "spec",
  "status",
  "template",
  "jobTemplate",
  "strategy",
  "updateStrategy",
]);

const isQuiet = (name: string, property: Schema, required: boolean) =>
  (property.ref !== undefined && structFields.has(name)) || (required && property.type === "array");

function compileList(schema: Schema, definitions: Definitions): FieldType {
  const listType = schema["x-kubernetes-list-type"];
  if (listType === "set") return { shape: "set", json: "list" };
  const names = schema["x-kubernetes-list-map-keys"];
  if (listType !== "map" || !schema.items || !names) return { shape: "leaf", json: "list" };
  const item = resolve(schema.items, definitions);
  const keys = names.toSorted().map((name) => ({
    name,
    fallback: item.properties?.[name]?.default,
  }));
  return { shape: "list", json: "list", keys, item: lazily(schema.items, definitions) };
}

/** Fields of the root that no manager owns. */
const serverFields = ["apiVersion", "kind"];
const serverMetadata = [
  "name",
  "namespace",
  "uid",
  "resourceVersion",
  "generation",
  "creationTimestamp",
  "selfLink",
  "managedFields",
];

const ignore = (field: Field): Field => ({ ...field, ignored: true });

function rootType(kind: Kind, status: boolean, definitions: Definitions): FieldType {
  const type = typeOf(kind.schema, definitions);
  const fields = new Map(type.fields);
  for (const name of serverFields) {
    fields.set(name, { element: `f:${name}`, type: anything, ignored: true, quiet: true });
  }
  for (const [name, field] of fields) {
    const elsewhere = status
      ? name !== "status" && name !== "metadata"
      : name === "status" && kind.subresources.includes("status");
    if (elsewhere) fields.set(name, ignore(field));
  }
  const metadata = fields.get("metadata")?.type() ?? anyType;
  const metadataFields = new Map(metadata.fields);
  for (const name of serverMetadata) {
    const element = `f:${name}`;
    metadataFields.set(name, { element, type: anything, ignored: true, quiet: true });
  }
  const ownMetadata: FieldType = { ...metadata, shape: "map", fields: metadataFields };
  if (metadata.shape === "any") ownMetadata.rest = anything;
  fields.set("metadata", {
    element: "f:metadata",
    type: () => ownMetadata,
    ignored: false,
    quiet: true,
  });
  return { ...type, shape: "map", fields };
}

const roots = new WeakMap<Schema, Map<string, FieldType>>();

/** The type of a whole object of `kind`, as written through `subresource`. */
export function rootTypeOf(kind: Kind, subresource: string, definitions: Definitions): FieldType {
  const status = subresource === "status";
  const key = `${status}/${kind.subresources.includes("status")}`;
  const known = roots.get(kind.schema) ?? new Map<string, FieldType>();
  roots.set(kind.schema, known);
  const type = known.get(key) ?? rootType(kind, status, definitions);
  known.set(key, type);
  return type;
}
