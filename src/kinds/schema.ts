// One schema language for built-in kinds and for CustomResourceDefinitions: OpenAPI v3 as
// Kubernetes uses it, so that publishing a schema is printing it and a CRD's schema needs no
// translation. Built-in schemas refer to each other by name; `Kinds.definition` resolves a name.
import type { Json } from "../lib/json.ts";

export interface Schema {
  /** Name of a definition, `io.k8s.api.core.v1.PodSpec`. When set, only `default` may stand beside it. */
  ref?: string;
  type?: "object" | "array" | "string" | "integer" | "number" | "boolean";
  format?: string;
  description?: string;
  nullable?: boolean;
  properties?: Record<string, Schema>;
  additionalProperties?: Schema | boolean;
  items?: Schema;
  required?: string[];
  default?: Json;
  enum?: Json[];
  pattern?: string;
  minimum?: number;
  maximum?: number;
  exclusiveMinimum?: boolean;
  exclusiveMaximum?: boolean;
  multipleOf?: number;
  minLength?: number;
  maxLength?: number;
  minItems?: number;
  maxItems?: number;
  uniqueItems?: boolean;
  minProperties?: number;
  maxProperties?: number;
  allOf?: Schema[];
  anyOf?: Schema[];
  oneOf?: Schema[];
  not?: Schema;
  "x-kubernetes-list-type"?: "atomic" | "set" | "map";
  "x-kubernetes-list-map-keys"?: string[];
  "x-kubernetes-map-type"?: "atomic" | "granular";
  "x-kubernetes-patch-strategy"?: string;
  "x-kubernetes-patch-merge-key"?: string;
  "x-kubernetes-int-or-string"?: boolean;
  "x-kubernetes-preserve-unknown-fields"?: boolean;
  "x-kubernetes-embedded-resource"?: boolean;
  "x-kubernetes-unions"?: Json;
  "x-kubernetes-validations"?: Json;
}

/** Looks a definition up by its name; throws when there is none. */
export type Definitions = (name: string) => Schema;

/** Follows `ref`, if any. */
export const resolve = (schema: Schema, definitions: Definitions): Schema =>
  schema.ref ? definitions(schema.ref) : schema;
