// Junctors (allOf, anyOf, oneOf, not) of a structural schema may only restrict: they tell no types,
// defaults or descriptions, and name no field that the structure does not name.
import type { Schema } from "../../kinds/schema.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenField, requiredField } from "./field-errors.ts";

const forbiddenKeywords = [
  "type",
  "title",
  "description",
  "default",
  "nullable",
  "additionalProperties",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource",
  "x-kubernetes-int-or-string",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-map-type",
];

/** Errors of all junctors in the schema at `path` and below. */
export function nestedErrors(schema: Schema, path: string): FieldError[] {
  const errors = junctors(schema, path).flatMap(([nested, nestedPath]) =>
    isIntOrStringTypes(schema, nested, nestedPath)
      ? []
      : checkNested(nested, nestedPath, schema, path),
  );
  for (const [below, belowPath] of children(schema, path)) {
    errors.push(...nestedErrors(below, belowPath));
  }
  return errors;
}

function children(schema: Schema, path: string): [Schema, string][] {
  const { properties, items, additionalProperties } = schema;
  const out = Object.entries(properties ?? {}).map(([name, property]): [Schema, string] => [
    property,
    `${path}.properties[${name}]`,
  ]);
  if (items && !Array.isArray(items)) out.push([items, `${path}.items`]);
  if (typeof additionalProperties === "object") {
    out.push([additionalProperties, `${path}.additionalProperties`]);
  }
  return out;
}

function junctors(schema: Schema, path: string): [Schema, string][] {
  const of = (name: "allOf" | "anyOf" | "oneOf") =>
    (schema[name] ?? []).map((one, i): [Schema, string] => [one, `${path}.${name}[${i}]`]);
  const not: [Schema, string][] = schema.not ? [[schema.not, `${path}.not`]] : [];
  return [...of("allOf"), ...of("anyOf"), ...of("oneOf"), ...not];
}

/** The one place where types are told in a junctor: `anyOf: [{type: integer}, {type: string}]`. */
function isIntOrStringTypes(schema: Schema, nested: Schema, path: string) {
  if (!schema["x-kubernetes-int-or-string"]) return false;
  const anyOf = path.includes(".allOf[") ? nested.anyOf : schema.anyOf;
  const typesOnly = anyOf?.map((one) => (Object.keys(one).length === 1 ? one.type : undefined));
  return typesOnly?.[0] === "integer" && typesOnly[1] === "string" && typesOnly.length === 2;
}

/**
 * `structure` is the schema that the nested one restricts; undefined once it has left all
 * structure.
 */
function checkNested(
  nested: Schema,
  path: string,
  structure: Schema | undefined,
  structurePath: string,
): FieldError[] {
  const errors: FieldError[] = [];
  for (const keyword of forbiddenKeywords) {
    if ((nested as Record<string, unknown>)[keyword] === undefined) continue;
    errors.push(forbiddenField(`${path}.${keyword}`, "must be empty to be structural"));
  }
  for (const [below, belowPath] of junctors(nested, path)) {
    errors.push(...checkNested(below, belowPath, structure, structurePath));
  }
  for (const [name, property] of Object.entries(nested.properties ?? {})) {
    const belowPath = `${path}.properties[${name}]`;
    const place = `${structurePath}.properties[${name}]`;
    const open = structure?.additionalProperties;
    const found = structure?.properties?.[name] ?? (typeof open === "object" ? open : undefined);
    if (!found) errors.push(requiredField(place, `because it is defined in ${belowPath}`));
    else errors.push(...checkNested(property, belowPath, found, place));
  }
  if (nested.items) {
    const place = `${structurePath}.items`;
    if (!structure?.items) {
      errors.push(requiredField(place, `because it is defined in ${path}.items`));
    } else errors.push(...checkNested(nested.items, `${path}.items`, structure.items, place));
  }
  return errors;
}
