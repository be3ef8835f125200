// The schema of a whole object. Built-in kinds refer to a definition that has it all; kinds of
// CustomResourceDefinitions carry theirs inline and leave out what every object has.
import type { Kind } from "../kinds/kind.ts";
import type { Kinds } from "../kinds/kinds.ts";
import type { Schema } from "../kinds/schema.ts";

const objectMeta = "io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta";

/** Kinds of CustomResourceDefinitions carry their schema inline. */
export const isCustom = (kind: Kind) => kind.schema.ref === undefined;

/** What tells the type of an object, as published. */
export const typeFields: Record<string, Schema> = {
  apiVersion: {
    type: "string",
    description: "APIVersion defines the version that this object is written in.",
  },
  kind: { type: "string", description: "Kind names what this object is, and never changes." },
};

const roots = new WeakMap<Schema, Schema>();

/** Metadata as the definitions know it; a register without definitions (tests) takes any. */
function metadataSchema(kinds: Kinds): Schema {
  const known = kinds.definitionNames().includes(objectMeta);
  return known
    ? { ref: objectMeta, description: "Standard object's metadata." }
    : { type: "object", "x-kubernetes-preserve-unknown-fields": true };
}

export function rootSchema(kind: Kind, kinds: Kinds): Schema {
  const { schema } = kind;
  if (!isCustom(kind)) return schema;
  let root = roots.get(schema);
  if (!root) {
    const metadata = metadataSchema(kinds);
    root = { ...schema, properties: { ...typeFields, ...schema.properties, metadata } };
    roots.set(schema, root);
  }
  return root;
}
