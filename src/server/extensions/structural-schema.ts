// What a schema of a CustomResourceDefinition must be to be structural: every field's type is told
// exactly once, outside of junctors, so that pruning and defaulting are plain walks. The rules and
// their words are those of apiextensions-apiserver (pkg/apiserver/schema/validation.go).
import { RE2JS } from "re2js";
import type { Schema } from "../../kinds/schema.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenField, invalidField, requiredField, unsupportedField } from "./field-errors.ts";
import { nestedErrors } from "./nested-schema.ts";

const types = ["array", "boolean", "integer", "number", "object", "string"];

/** Keywords of JSON schema that no CustomResourceDefinition may use. */
const unsupportedKeywords = [
  "$ref",
  "definitions",
  "dependencies",
  "additionalItems",
  "patternProperties",
  "id",
];

type Report = (error: FieldError) => void;

/** Errors of the schema of a whole object, at `path`. */
export function structuralErrors(schema: Schema, path: string): FieldError[] {
  const errors: FieldError[] = [];
  const report: Report = (error) => errors.push(error);
  if (schema.type === undefined) {
    report(requiredField(`${path}.type`, "must not be empty at the root"));
  } else if (schema.type !== "object") {
    report(invalidField(`${path}.type`, schema.type, "must be object at the root"));
  }
  const { metadata, ...others } = schema.properties ?? {};
  if (metadata) checkMetadata(metadata, `${path}.properties[metadata]`, report);
  checkSchema({ ...schema, properties: others }, path, report, true);
  errors.push(...nestedErrors(schema, path));
  return errors;
}

function checkMetadata(metadata: Schema, path: string, report: Report) {
  if (metadata.type !== "object") {
    report(invalidField(`${path}.type`, metadata.type ?? "", "must be object"));
  }
  const { type: _, description: __, properties, ...rest } = metadata;
  const names = Object.keys(properties ?? {});
  const extra = names.some((name) => name !== "name" && name !== "generateName");
  if (extra || Object.keys(rest).length > 0) {
    const why =
      "must not specify anything other than name and generateName, but metadata is implicitly specified";
    report(forbiddenField(path, why));
  }
}

function checkSchema(schema: Schema, path: string, report: Report, root = false) {
  checkKeywords(schema, path, report);
  checkType(schema, path, report, root);
  checkListType(schema, path, report);
  checkExtensions(schema, path, report, root);
  for (const [name, property] of Object.entries(schema.properties ?? {})) {
    const below = `${path}.properties[${name}]`;
    if (needsType(property)) {
      report(requiredField(`${below}.type`, "must not be empty for specified object fields"));
    }
    checkSchema(property, below, report);
  }
  const { items, additionalProperties } = schema;
  if (Array.isArray(items)) {
    report(forbiddenField(`${path}.items`, "items must be a schema object and not an array"));
  } else if (items) {
    if (needsType(items)) {
      const why = "must not be empty for specified array items";
      report(requiredField(`${path}.items.type`, why));
    }
    checkSchema(items, `${path}.items`, report);
  }
  if (typeof additionalProperties === "object") {
    const below = `${path}.additionalProperties`;
    if (needsType(additionalProperties)) {
      report(requiredField(`${below}.type`, "must not be empty for specified object fields"));
    }
    checkSchema(additionalProperties, below, report);
  }
}

const needsType = (schema: Schema) =>
  schema.type === undefined &&
  !schema["x-kubernetes-int-or-string"] &&
  !schema["x-kubernetes-preserve-unknown-fields"];

function checkKeywords(schema: Schema, path: string, report: Report) {
  for (const keyword of unsupportedKeywords) {
    if ((schema as Record<string, unknown>)[keyword] === undefined) continue;
    report(forbiddenField(`${path}.${keyword}`, `${keyword} is not supported`));
  }
  if (schema.uniqueItems) {
    const why = "uniqueItems cannot be set to true since the runtime complexity becomes quadratic";
    report(forbiddenField(`${path}.uniqueItems`, why));
  }
  const { additionalProperties, properties, pattern } = schema;
  if (additionalProperties === false) {
    report(forbiddenField(`${path}.additionalProperties`, "must not be false"));
  } else if (additionalProperties && Object.keys(properties ?? {}).length > 0) {
    const why = "additionalProperties and properties are mutual exclusive";
    report(forbiddenField(`${path}.additionalProperties`, why));
  }
  if (pattern === undefined) return;
  try {
    RE2JS.compile(pattern);
  } catch (error) {
    const why = `must be a valid regular expression, but isn't: ${(error as Error).message}`;
    report(invalidField(`${path}.pattern`, pattern, why));
  }
}

function checkType(schema: Schema, path: string, report: Report, root: boolean) {
  const { type } = schema;
  if ((type as string) === "null") {
    const why = "type cannot be set to null, use nullable as an alternative";
    report(forbiddenField(`${path}.type`, why));
  } else if (type !== undefined && !types.includes(type) && !root) {
    report(unsupportedField(`${path}.type`, type, types));
  }
  if (type === "array" && !schema.items) {
    report(requiredField(`${path}.items`, "must be specified"));
  }
}

function checkExtensions(schema: Schema, path: string, report: Report, root: boolean) {
  const preserve = schema["x-kubernetes-preserve-unknown-fields"];
  if (preserve === false) {
    const field = `${path}.x-kubernetes-preserve-unknown-fields`;
    report(invalidField(field, false, "must be true or undefined"));
  }
  if (schema["x-kubernetes-int-or-string"] && schema.type !== undefined) {
    const why = "must be empty if x-kubernetes-int-or-string is true";
    report(invalidField(`${path}.type`, schema.type, why));
  }
  if (schema["x-kubernetes-embedded-resource"]) {
    const keyword = "x-kubernetes-embedded-resource";
    if (root) report(forbiddenField(`${path}.${keyword}`, "must not be used at the root"));
    if (schema.type !== "object") {
      const why = `must be object if ${keyword} is true`;
      report(invalidField(`${path}.type`, schema.type ?? "", why));
    }
    if (!preserve && Object.keys(schema.properties ?? {}).length === 0) {
      const why = `must not be empty if ${keyword} is true without x-kubernetes-preserve-unknown-fields`;
      report(requiredField(`${path}.properties`, why));
    }
  }
  const mapType = schema["x-kubernetes-map-type"];
  if (mapType !== undefined && !["atomic", "granular"].includes(mapType)) {
    report(unsupportedField(`${path}.x-kubernetes-map-type`, mapType, ["atomic", "granular"]));
  }
}

function checkListType(schema: Schema, path: string, report: Report) {
  const listType = schema["x-kubernetes-list-type"];
  const keys = schema["x-kubernetes-list-map-keys"];
  const keysPath = `${path}.x-kubernetes-list-map-keys`;
  if (listType !== undefined && schema.type !== "array") {
    const why = "must be array if x-kubernetes-list-type is specified";
    report(invalidField(`${path}.type`, schema.type ?? "", why));
  }
  if (listType !== undefined && !["atomic", "set", "map"].includes(listType)) {
    const field = `${path}.x-kubernetes-list-type`;
    report(unsupportedField(field, listType, ["atomic", "set", "map"]));
  }
  if (listType !== "map") {
    if (keys?.length) {
      const why = "must be map if x-kubernetes-list-map-keys is non-empty";
      report(invalidField(`${path}.x-kubernetes-list-type`, listType ?? "", why));
    }
    return;
  }
  if (!keys?.length) {
    report(requiredField(keysPath, "must not be empty if x-kubernetes-list-type is map"));
    return;
  }
  const { items } = schema;
  if (items?.type !== "object") {
    const why = "must be object if parent array's x-kubernetes-list-type is map";
    report(invalidField(`${path}.items.type`, items?.type ?? "", why));
  }
  for (const [i, key] of keys.entries()) {
    checkListKey(items, path, `${keysPath}[${i}]`, key, report);
  }
}

function checkListKey(
  items: Schema | undefined,
  path: string,
  keyPath: string,
  key: string,
  report: Report,
) {
  const property = items?.properties?.[key];
  if (!property) {
    report(invalidField(keyPath, key, "entries must all be names of item properties"));
    return;
  }
  const below = `${path}.items.properties[${key}]`;
  if (property.type === "object" || property.type === "array") {
    const why = "must be a scalar type if parent array's x-kubernetes-list-type is map";
    report(invalidField(`${below}.type`, property.type, why));
  }
  if (property.default === undefined && !items?.required?.includes(key)) {
    const why =
      "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property";
    report(requiredField(`${below}.default`, why));
  }
}
