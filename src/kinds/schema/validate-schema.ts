// What a structural schema says of values, in Kubernetes' words (apiextensions-apiserver's validation).
// Types were made right by `conform`; this judges ranges, patterns, enums, required fields and the logic.
import { RE2JS } from "re2js";
import { isObject, jsonEqual, own } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import type { Definitions, Schema } from "../schema.ts";
import { resolve } from "../schema.ts";

const quote = (value: unknown) => JSON.stringify(value);
const patterns = new Map<string, RE2JS>();
const patternsMax = 1000;

/** A user's pattern, which matches in linear time whatever it is. */
function compiled(pattern: string): RE2JS {
  let found = patterns.get(pattern);
  if (!found) {
    if (patterns.size >= patternsMax) patterns.clear();
    patterns.set(pattern, (found = RE2JS.compile(pattern)));
  }
  return found;
}

type Report = (type: FieldError["type"], field: string, message: string) => void;

const bad = (report: Report, path: string, value: unknown, why: string) =>
  report(
    "FieldValueInvalid",
    path,
    `Invalid value: ${quote(value)}: ${path || "<root>"} in body ${why}`,
  );

const jsonType = (value: unknown) => {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  return Number.isInteger(value) ? "integer" : typeof value;
};

function checkType(schema: Schema, value: unknown, path: string, report: Report): boolean {
  const found = jsonType(value);
  if (schema["x-kubernetes-int-or-string"]) {
    if (found === "integer" || found === "string") return true;
    bad(report, path, value, `must be of type integer,string: ${quote(found)}`);
    return false;
  }
  const wanted = schema.type;
  if (!wanted || wanted === found || (wanted === "number" && found === "integer")) return true;
  if (value === null && schema.nullable) return true;
  const why = `Invalid value: ${quote(found)}: ${path} in body must be of type ${wanted}: ${quote(found)}`;
  report("FieldValueTypeInvalid", path, why);
  return false;
}

function checkString(schema: Schema, value: string, path: string, report: Report) {
  const length = [...value].length;
  if (schema.maxLength !== undefined && length > schema.maxLength) {
    const bytes = schema.maxLength;
    report("FieldValueTooLong", path, `Too long: may not be more than ${bytes} bytes`);
  }
  if (schema.minLength !== undefined && length < schema.minLength) {
    bad(report, path, value, `should be at least ${schema.minLength} chars long`);
  }
  if (schema.pattern !== undefined && !compiled(schema.pattern).matcher(value).find()) {
    bad(report, path, value, `should match '${schema.pattern}'`);
  }
  if (schema.format && !hasFormat(schema.format, value)) {
    bad(report, path, value, `must be of type ${schema.format}: ${quote(value)}`);
  }
}

const formats: Record<string, RegExp> = {
  date: /^\d{4}-\d{2}-\d{2}$/,
  "date-time": /^\d{4}-\d{2}-\d{2}[Tt ]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/,
  ipv4: /^(\d{1,3}\.){3}\d{1,3}$/,
  uuid: /^[0-9a-f]{8}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{4}-?[0-9a-f]{12}$/i,
  email: /^[^@\s]+@[^@\s]+$/,
  byte: /^[A-Za-z0-9+/\s]*(?:={1,2}\s*)?$/,
  hostname:
    /^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)(\.[a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?)*$/,
};

/** Formats that are not known are not judged, as upstream. */
const hasFormat = (format: string, value: string) => formats[format]?.test(value) ?? true;

function checkNumber(schema: Schema, value: number, path: string, report: Report) {
  const { maximum, minimum, multipleOf } = schema;
  if (maximum !== undefined && (schema.exclusiveMaximum ? value >= maximum : value > maximum)) {
    const than = schema.exclusiveMaximum ? "less than" : "less than or equal to";
    bad(report, path, value, `should be ${than} ${maximum}`);
  }
  if (minimum !== undefined && (schema.exclusiveMinimum ? value <= minimum : value < minimum)) {
    const than = schema.exclusiveMinimum ? "greater than" : "greater than or equal to";
    bad(report, path, value, `should be ${than} ${minimum}`);
  }
  if (
    multipleOf !== undefined &&
    Math.abs(value / multipleOf - Math.round(value / multipleOf)) > 1e-9
  ) {
    bad(report, path, value, `should be a multiple of ${multipleOf}`);
  }
}

class Validation {
  readonly errors: FieldError[] = [];
  readonly #definitions: Definitions;

  constructor(definitions: Definitions) {
    this.#definitions = definitions;
  }

  readonly #report: Report = (type, field, message) => this.errors.push({ type, field, message });

  check(from: Schema, value: unknown, path: string) {
    const schema = resolve(from, this.#definitions);
    if (value === null && schema.nullable) return;
    if (!checkType(schema, value, path, this.#report)) return;
    this.#enum(schema, value, path);
    if (typeof value === "string") checkString(schema, value, path, this.#report);
    else if (typeof value === "number") checkNumber(schema, value, path, this.#report);
    else if (Array.isArray(value)) this.#array(schema, value, path);
    else if (isObject(value)) this.#object(schema, value, path);
    this.#logic(schema, value, path);
  }

  #enum(schema: Schema, value: unknown, path: string) {
    if (!schema.enum || schema.enum.some((one) => jsonEqual(one, value))) return;
    const supported = schema.enum.map(quote).join(", ");
    const text = `Unsupported value: ${quote(value)}: supported values: ${supported}`;
    this.#report("FieldValueNotSupported", path, text);
  }

  #array(schema: Schema, value: unknown[], path: string) {
    const { maxItems, minItems, items } = schema;
    if (maxItems !== undefined && value.length > maxItems) {
      const text = `Too many: ${value.length}: must have at most ${maxItems} items`;
      this.#report("FieldValueTooMany", path, text);
    }
    if (minItems !== undefined && value.length < minItems) {
      bad(this.#report, path, value.length, `should have at least ${minItems} items`);
    }
    this.#unique(schema, value, path);
    if (items) value.forEach((item, i) => this.check(items, item, `${path}[${i}]`));
  }

  #unique(schema: Schema, value: unknown[], path: string) {
    const type = schema["x-kubernetes-list-type"];
    if (type !== "set" && type !== "map" && !schema.uniqueItems) return;
    const keys = schema["x-kubernetes-list-map-keys"] ?? [];
    const seen = new Set<string>();
    value.forEach((item, i) => {
      const key =
        type === "map" ? Object.fromEntries(keys.map((k) => [k, (item as any)?.[k]])) : item;
      const text = quote(key);
      if (seen.has(text)) {
        this.#report("FieldValueDuplicate", `${path}[${i}]`, `Duplicate value: ${text}`);
      }
      seen.add(text);
    });
  }

  #object(schema: Schema, value: { [key: string]: unknown }, path: string) {
    const at = (name: string) => (path === "" ? name : `${path}.${name}`);
    for (const name of schema.required ?? []) {
      if (own(value, name) === undefined)
        this.#report("FieldValueRequired", at(name), "Required value");
    }
    const size = Object.keys(value).length;
    if (schema.maxProperties !== undefined && size > schema.maxProperties) {
      const text = `Too many: ${size}: must have at most ${schema.maxProperties} items`;
      this.#report("FieldValueTooMany", path, text);
    }
    if (schema.minProperties !== undefined && size < schema.minProperties) {
      bad(this.#report, path, size, `should have at least ${schema.minProperties} properties`);
    }
    const rest = isObject(schema.additionalProperties)
      ? (schema.additionalProperties as Schema)
      : undefined;
    for (const [name, one] of Object.entries(value)) {
      const child = own(schema.properties ?? {}, name) ?? rest;
      if (child) this.check(child, one, at(name));
    }
  }

  #holds(schema: Schema, value: unknown, path: string): boolean {
    const inner = new Validation(this.#definitions);
    inner.check(schema, value, path);
    return inner.errors.length === 0;
  }

  #logic({ allOf, anyOf, oneOf, not }: Schema, value: unknown, path: string) {
    for (const schema of allOf ?? []) this.check(schema, value, path);
    if (anyOf && !anyOf.some((schema) => this.#holds(schema, value, path))) {
      bad(this.#report, path, value, "must validate at least one schema (anyOf)");
    }
    if (oneOf && oneOf.filter((schema) => this.#holds(schema, value, path)).length !== 1) {
      bad(this.#report, path, value, "must validate one and only one schema (oneOf)");
    }
    if (not && this.#holds(not, value, path)) {
      bad(this.#report, path, value, "must not validate the schema (not)");
    }
  }
}

/** Every way in which `value` breaks `schema`. */
export function validateSchema(
  value: unknown,
  schema: Schema,
  definitions: Definitions,
): FieldError[] {
  const validation = new Validation(definitions);
  validation.check(schema, value, "");
  return validation.errors;
}
