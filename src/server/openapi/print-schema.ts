// A kind's schema as OpenAPI v2 or v3 prints it. Pure.
import type { Schema } from "../../kinds/schema.ts";
import { withoutShapes } from "./for-kubectl.ts";

export type Dialect = "v2" | "v3";

export type Printed = Record<string, unknown>;

export const refOf = (name: string, dialect: Dialect): Printed => ({
  $ref: dialect === "v2" ? `#/definitions/${name}` : `#/components/schemas/${name}`,
});

const intOrString = (dialect: Dialect): Printed =>
  dialect === "v2"
    ? { type: "string", format: "int-or-string" }
    : { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] };

/** Things OpenAPI v2 has no word for. */
const onlyV3 = new Set(["nullable", "anyOf", "oneOf", "not"]);

function printOne(key: string, value: any, dialect: Dialect): unknown {
  const print = (schema: Schema) => printSchema(schema, dialect);
  switch (key) {
    case "properties":
      return Object.fromEntries(
        Object.entries(value as Record<string, Schema>).map(([name, one]) => [name, print(one)]),
      );
    case "items":
    case "not":
      return print(value);
    case "additionalProperties":
      return typeof value === "boolean" ? value : print(value);
    case "allOf":
    case "anyOf":
    case "oneOf":
      return value.map(print);
    default:
      return value;
  }
}

export function printSchema(schema: Schema, dialect: Dialect): Printed {
  if (schema.ref) {
    const ref = refOf(schema.ref, dialect);
    const { ref: _, ...beside } = schema;
    if (Object.keys(beside).length === 0) return ref;
    return dialect === "v2" ? ref : { allOf: [ref], ...beside };
  }
  const printed: Printed = {};
  for (const [key, value] of Object.entries(dialect === "v2" ? withoutShapes(schema) : schema)) {
    if (dialect === "v2" && onlyV3.has(key)) continue;
    printed[key] = printOne(key, value, dialect);
  }
  const marked = schema["x-kubernetes-int-or-string"];
  if (!marked) return printed;
  if (schema.format === "quantity") return { type: "string" };
  return { ...intOrString(dialect), ...printed };
}

/** Names of the definitions that `schema` refers to, not followed further. */
export function refsOf(schema: unknown, found: Set<string>) {
  if (Array.isArray(schema)) for (const item of schema) refsOf(item, found);
  else if (typeof schema === "object" && schema !== null) {
    for (const [key, value] of Object.entries(schema)) {
      if (key === "ref" && typeof value === "string") found.add(value);
      else refsOf(value, found);
    }
  }
}
