// Makes a decoded document conform to its schema, in one walk: fields that the schema does not know are
// dropped and reported, nulls become absent, defaults are filled in, and a value of a wrong type is an error.
// Built-in kinds and CustomResourceDefinitions share it.
//
// A schema is compiled once into nodes, since this runs on every write.
import { base64Error } from "../../lib/base64-error.ts";
import type { Json } from "../../lib/json.ts";
import { isObject, own } from "../../lib/json.ts";
import { isQuantity } from "../../lib/quantity.ts";
import { timeError } from "../../lib/time-error.ts";
import type { Definitions, Schema } from "../schema.ts";

type Scalar = "string" | "integer" | "number" | "boolean" | "int-or-string" | "quantity";

interface Node {
  /** The definition's short name, for messages. */
  struct: string;
  scalar?: Scalar;
  format?: string | undefined;
  /** Of a text that has a form: why it is none of it. Custom kinds' are judged with the rest of them. */
  textError?: (text: string) => string | undefined;
  items?: Node;
  fields?: Map<string, Node>;
  /** Schema of other keys. */
  rest?: Node;
  /** Keep what is not known. */
  open: boolean;
  nullable: boolean;
  defaults?: [name: string, value: Json][];
  /** An embedded object keeps apiVersion, kind and metadata. */
  embedded: boolean;
}

export interface WrongType {
  /** `spec.replicas`. */
  path: string;
  struct: string;
  /** What the document holds: string, number, bool, object or array. */
  found: string;
  /** Go's name of the type that belongs there. */
  wanted: string;
  /** Says it where the type is right and the value is none of it. */
  why?: string;
}

export interface Conformance {
  unknown: string[];
  wrong: WrongType[];
}

const compiled = new WeakMap<Schema, Node>();
const shortName = (name: string) => name.slice(name.lastIndexOf(".") + 1);

function scalarOf(schema: Schema): Scalar | undefined {
  if (schema.format === "quantity") return "quantity";
  if (schema["x-kubernetes-int-or-string"]) return "int-or-string";
  const { type } = schema;
  return type === "object" || type === "array" ? undefined : type;
}

function textErrorOf({ format }: Schema, struct: string): Node["textError"] {
  if (format === "byte") return base64Error;
  if (format !== "date-time") return undefined;
  return (text) => timeError(text, struct === "MicroTime" ? "micros" : "seconds");
}

function compile(schema: Schema, definitions: Definitions, struct = ""): Node {
  const known = compiled.get(schema);
  if (known) return known;
  if (schema.ref) {
    const node = compile(definitions(schema.ref), definitions, shortName(schema.ref));
    compiled.set(schema, node);
    return node;
  }
  const node: Node = {
    struct,
    open: schema["x-kubernetes-preserve-unknown-fields"] === true || schema.type === undefined,
    nullable: schema.nullable === true,
    embedded: schema["x-kubernetes-embedded-resource"] === true,
  };
  compiled.set(schema, node);
  const scalar = scalarOf(schema);
  if (scalar) {
    const textError = struct === "" ? undefined : textErrorOf(schema, struct);
    return Object.assign(node, { scalar, format: schema.format, ...(textError && { textError }) });
  }
  if (schema.type === "array" && schema.items) {
    node.items = compile(schema.items, definitions, struct);
  }
  if (schema.properties) {
    const entries = Object.entries(schema.properties);
    node.fields = new Map(entries.map(([name, one]) => [name, compile(one, definitions, struct)]));
    const defaults = entries.filter(([, one]) => one.default !== undefined);
    if (defaults.length > 0) node.defaults = defaults.map(([name, one]) => [name, one.default!]);
  }
  if (isObject(schema.additionalProperties)) {
    node.rest = compile(schema.additionalProperties as Schema, definitions, struct);
  } else if (schema.additionalProperties === true) node.open = true;
  else if (schema.type === "object" && !schema.properties && !schema.allOf) node.open = true;
  return node;
}

const foundType = (value: unknown) => {
  if (Array.isArray(value)) return "array";
  if (typeof value === "boolean") return "bool";
  return typeof value === "object" ? "object" : typeof value;
};

const goTypes: Record<string, string> = { boolean: "bool", number: "float64", quantity: "string" };

function goType(node: Node): string {
  if (node.scalar === "integer") return node.format === "int64" ? "int64" : "int32";
  if (node.scalar) return goTypes[node.scalar] ?? node.scalar;
  if (node.items) return `[]${node.items.scalar ? goType(node.items) : `v1.${node.items.struct}`}`;
  return node.rest?.scalar ? `map[string]${goType(node.rest)}` : `v1.${node.struct}`;
}

function fits(scalar: Scalar, value: unknown): boolean {
  switch (scalar) {
    case "string":
      return typeof value === "string";
    case "integer":
      return Number.isInteger(value);
    case "number":
      return typeof value === "number";
    case "boolean":
      return typeof value === "boolean";
    case "int-or-string":
    case "quantity":
      return typeof value === "string" || typeof value === "number";
  }
}

const isEmptyMap = (node: Node, value: unknown) =>
  node.rest !== undefined && !node.fields && isObject(value) && Object.keys(value).length === 0;

const quantityWhy =
  "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'";

class Walk {
  readonly result: Conformance = { unknown: [], wrong: [] };

  value(node: Node, value: any, path: string, struct: string): any {
    if (node.scalar) {
      if (!fits(node.scalar, value)) this.#wrong(node, value, path, struct);
      return node.scalar === "quantity" ? this.#quantity(node, value, path, struct) : value;
    }
    if (node.items) return this.#array(node, value, path, struct);
    if (!node.fields && !node.rest) {
      if (!node.open) this.#wrong(node, value, path, struct);
      return value;
    }
    if (!isObject(value)) this.#wrong(node, value, path, struct);
    else this.#object(node, value, path);
    return value;
  }

  #text(node: Node, value: unknown, path: string, struct: string) {
    if (typeof value !== "string") this.#wrong(node, value, path, struct);
    else if (node.textError) {
      const why = node.textError(value);
      if (why) this.#wrong(node, value, path, struct, { why });
    }
  }

  /** As text. Those of custom kinds are mere strings. */
  #quantity(node: Node, value: unknown, path: string, struct: string) {
    const text = String(value).trim();
    const isBad = struct !== "" && fits("quantity", value) && !isQuantity(text);
    if (isBad) this.#wrong(node, value, path, struct, { why: quantityWhy });
    return text;
  }

  #wrong(node: Node, value: unknown, path: string, struct: string, more: { why?: string } = {}) {
    this.result.wrong.push({
      path,
      struct,
      found: foundType(value),
      wanted: goType(node),
      ...more,
    });
  }

  #array(node: Node, value: any, path: string, struct: string) {
    if (!Array.isArray(value)) {
      this.#wrong(node, value, path, struct);
      return value;
    }
    const items = node.items!;
    for (let i = 0; i < value.length; i++) {
      // Go reads a null among texts as an empty one.
      if (value[i] === null && items.scalar === "string" && struct !== "") value[i] = "";
      value[i] = this.value(items, value[i], `${path}[${i}]`, struct);
    }
    return value;
  }

  #object(node: Node, value: { [key: string]: any }, path: string) {
    for (const name of Object.keys(value)) {
      const child = node.fields?.get(name) ?? node.rest;
      const at = path === "" ? name : `${path}.${name}`;
      if (!child) {
        if (node.open || (node.embedded && embeddedFields.has(name))) continue;
        this.result.unknown.push(at);
        delete value[name];
      } else if (value[name] === null) {
        if (!child.nullable && !(child.open && !child.fields && !child.scalar)) delete value[name];
      } else if (child.scalar === "string") {
        this.#text(child, value[name], at, node.struct);
      } else if (isEmptyMap(child, value[name]) && node.struct !== "") {
        // Go leaves empty maps out; custom resources, whose schema is inline, keep theirs.
        delete value[name];
      } else {
        value[name] = this.value(child, value[name], at, node.struct);
      }
    }
    for (const [name, standard] of node.defaults ?? []) {
      if (own(value, name) !== undefined) continue;
      value[name] = structuredClone(standard);
      const child = node.fields!.get(name)!;
      if (isObject(standard)) this.value(child, value[name], `${path}.${name}`, node.struct);
    }
  }
}

const embeddedFields = new Set(["apiVersion", "kind", "metadata"]);

/** Changes `value` in place; reports what was dropped and what has a wrong type. */
export function conform(value: object, schema: Schema, definitions: Definitions): Conformance {
  const walk = new Walk();
  const node = compile(schema, definitions);
  walk.value(node, value, "", node.struct);
  return walk.result;
}
