// A custom schema as OpenAPI v2 can say it. kubectl's reader of v2 fails on what is nullable or open and has a
// shape all the same, so there the shape is left out and anything is allowed.
import type { Schema } from "../../kinds/schema.ts";

const isOpen = (schema: Schema) => schema["x-kubernetes-preserve-unknown-fields"] === true;

/** `schema` without what v2 readers fail on; children are done by themselves. */
export function withoutShapes(schema: Schema): Schema {
  const { nullable, allOf: _, ...rest } = schema;
  const next: Schema = rest;
  const untyped = nullable === true || isOpen(schema);
  if (untyped) {
    delete next.items;
    delete next.properties;
  }
  if (nullable || (isOpen(schema) && next.type === "object")) delete next.type;
  if (next.type === "array" && !next.items) delete next.type;
  const required = next.required?.filter((name) => next.properties?.[name]?.nullable !== true);
  if (required && required.length !== next.required!.length) {
    if (required.length > 0) next.required = required;
    else delete next.required;
  }
  return next;
}

/** True for kinds whose whole object may hold anything: v2 says no more of them. */
export const isOpenRoot = isOpen;
