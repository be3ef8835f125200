// Schemas of KubeVirt's kinds by the names of its API, inflated: a CustomResourceDefinition has no references.
import type { Schema } from "../../kinds/schema.ts";
import definitions from "./data/definitions.json" with { type: "json" };

const all = definitions as unknown as Record<string, Record<string, any>>;

function inflate(value: any): any {
  if (Array.isArray(value)) return value.map(inflate);
  if (typeof value !== "object" || value === null) return value;
  if (typeof value.$ref === "string") return schemaOf(value.$ref);
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, inflate(one)]));
}

/** A copy of its own of the schema `name`. */
export function schemaOf(name: string): Schema {
  const found = all[name];
  if (!found) throw new Error(`${name} is not among the derived definitions`);
  return inflate(found);
}
