// Schemas as types of expressions, and objects as their values. Objects with named fields become classes, so
// a field that no schema names is an error when the expression is compiled; maps, lists and scalars are what
// they are. Integers are BigInts, as CEL tells them from doubles.
import type { Environment } from "@marcbachmann/cel-js";
import { Duration } from "@marcbachmann/cel-js/evaluator";
import type { Definitions, Schema } from "../../kinds/schema.ts";
import { isObject, jsonEqual } from "../../lib/json.ts";
import { celNames } from "./names.ts";

export interface CelType {
  /** As the environment names it: `int`, `list<Spec1>`. */
  name: string;
  /** A JSON value of the schema as a value of the type. */
  value: (json: any) => unknown;
}

const nanosecondsOf: Record<string, number> = {
  h: 3.6e12,
  m: 6e10,
  s: 1e9,
  ms: 1e6,
  us: 1e3,
  ns: 1,
};

/** `1h30m` as CEL's duration. */
export function durationOf(text: string): Duration {
  let total = 0;
  const amounts = text.replace(/^[+-]/, "");
  for (const [, amount, unit] of amounts.matchAll(/([\d.]+)(h|ms|us|ns|m|s)/gy)) {
    total += Number(amount) * nanosecondsOf[unit!]!;
  }
  if (text.startsWith("-")) total = -total;
  const seconds = Math.trunc(total / 1e9);
  return new Duration(BigInt(seconds), Math.round(total - seconds * 1e9));
}

/** A value of no known schema: whole numbers are ints. */
export function dynamicValue(json: any): unknown {
  if (typeof json === "number") return Number.isInteger(json) ? BigInt(json) : json;
  if (Array.isArray(json)) return json.map(dynamicValue);
  if (!isObject(json)) return json;
  return new Map(Object.entries(json).map(([name, value]) => [name, dynamicValue(value)]));
}

const same = (json: unknown) => json;
const dynamic: CelType = { name: "dyn", value: dynamicValue };

function scalarOf({ type, format }: Schema): CelType | undefined {
  switch (type) {
    case "boolean":
      return { name: "bool", value: same };
    case "integer":
      return { name: "int", value: (json) => BigInt(json) };
    case "number":
      return { name: "double", value: Number };
    case "string":
      if (format === "date-time" || format === "date") {
        return { name: "google.protobuf.Timestamp", value: (text) => new Date(text) };
      }
      if (format === "duration") return { name: "google.protobuf.Duration", value: durationOf };
      if (format === "byte") {
        return { name: "bytes", value: (text) => Uint8Array.from(Buffer.from(text, "base64")) };
      }
      return { name: "string", value: same };
    default:
      return undefined;
  }
}

/** Of an object's metadata, rules see the name it was given (and a CRD's root no more of it). */
const metadata: Schema = {
  type: "object",
  properties: { name: { type: "string" }, generateName: { type: "string" } },
};

const isMetadata = ({ ref }: Schema) => ref?.endsWith(".ObjectMeta") ?? false;

/** Declares the types of schemas in one environment, each once. */
export class Types {
  readonly #environment: Environment;
  readonly #definitions: Definitions;
  readonly #wholeMetadata: boolean;
  readonly #known = new Map<Schema, CelType>();
  #count = 0;

  constructor(
    environment: Environment,
    definitions: Definitions,
    { wholeMetadata = false }: { wholeMetadata?: boolean } = {},
  ) {
    this.#environment = environment;
    this.#definitions = definitions;
    this.#wholeMetadata = wholeMetadata;
  }

  of(schema: Schema): CelType {
    const known = this.#known.get(schema);
    if (known) return known;
    if (schema.ref) {
      const target =
        isMetadata(schema) && !this.#wholeMetadata ? metadata : this.#definitions(schema.ref);
      // A schema that holds itself ends in something of any type.
      this.#known.set(schema, dynamic);
      const type = this.of(target);
      this.#known.set(schema, type);
      return type;
    }
    this.#known.set(schema, dynamic);
    const type = this.#make(schema);
    this.#known.set(schema, type);
    return type;
  }

  #make(schema: Schema): CelType {
    const type = this.#makeWhole(schema);
    if (!schema.nullable) return type;
    return { name: "dyn", value: (json) => (json === null ? null : type.value(json)) };
  }

  #makeWhole(schema: Schema): CelType {
    if (schema["x-kubernetes-int-or-string"] || schema.format === "quantity") return dynamic;
    const scalar = scalarOf(schema);
    if (scalar) return scalar;
    if (schema.type === "array") return this.#list(schema);
    if (schema.properties && Object.keys(schema.properties).length > 0) return this.#object(schema);
    if (isObject(schema.additionalProperties)) {
      return this.#map(schema.additionalProperties as unknown as Schema);
    }
    return dynamic;
  }

  #list({ items = {} }: Schema): CelType {
    const item = this.of(items);
    return {
      name: `list<${item.name}>`,
      value: (json) => (Array.isArray(json) ? json.map(item.value) : dynamicValue(json)),
    };
  }

  #map(values: Schema): CelType {
    const type = this.of(values);
    return {
      name: `map<string, ${type.name}>`,
      value: (json) =>
        isObject(json)
          ? new Map(Object.entries(json).map(([key, value]) => [key, type.value(value)]))
          : dynamicValue(json),
    };
  }

  #object({ properties }: Schema): CelType {
    const name = `Object${(this.#count += 1)}`;
    const members = Object.entries(properties!).flatMap(([field, schema]) => {
      const type = this.of(schema);
      return celNames(field).map((said) => ({ field, said, type }));
    });
    // Holds what it was made of, so that two of them compare as JSON does, hidden fields included.
    const json = Symbol("json");
    const ctor = class {
      [json]: unknown;
    };
    const fields = Object.fromEntries(members.map(({ said, type }) => [said, type.name]));
    this.#environment.registerType(name, { ctor, fields } as never);
    const equal = (a: any, b: any) => jsonEqual(a[json], b[json]);
    this.#environment.registerOperator(`${name} == ${name}`, equal);
    this.#environment.registerOperator(`${name} == null`, (a: unknown) => a === null);
    return {
      name,
      value: (given) => {
        if (!isObject(given)) return dynamicValue(given);
        const made: any = new ctor();
        Object.defineProperty(made, json, { value: given });
        for (const { field, said, type } of members) {
          const value = given[field];
          if (value !== undefined) made[said] = type.value(value);
        }
        return made;
      },
    };
  }
}
