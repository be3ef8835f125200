// Override: what differs at some sites from the works that ManifestWorkReplicaSets of its namespace make.
import { fleetDefinition, labelSelector } from "./fleet.ts";
import type { Schema } from "../../kinds/schema.ts";

const string: Schema = { type: "string" };

const image: Schema = {
  type: "object",
  properties: {
    name: string,
    newRegistry: string,
    newName: string,
    newTag: string,
    digest: { type: "string", pattern: "^sha256:[0-9a-f]{64}$" },
  },
};

const patch: Schema = {
  type: "object",
  required: ["patch"],
  properties: {
    type: { type: "string", enum: ["merge", "json"], default: "merge" },
    // A merge patch is an object, a JSON patch a list.
    patch: { "x-kubernetes-preserve-unknown-fields": true },
  },
};

const rule: Schema = {
  type: "object",
  properties: {
    target: {
      type: "object",
      properties: { group: string, kind: string, namespace: string, name: string },
    },
    replicas: { type: "integer", format: "int32", minimum: 0 },
    images: { type: "array", items: image },
    patches: { type: "array", items: patch },
  },
};

export const overrideDefinition = fleetDefinition({
  kind: "Override",
  plural: "overrides",
  scope: "Namespaced",
  columns: [
    { name: "Priority", jsonPath: ".spec.priority", type: "integer" },
    { name: "Age", jsonPath: ".metadata.creationTimestamp", type: "date" },
  ],
  spec: {
    type: "object",
    required: ["rules"],
    properties: {
      // The higher wins; among equals the later name.
      priority: { type: "integer", format: "int32", default: 0 },
      replicaSetSelector: labelSelector,
      siteSelector: labelSelector,
      rules: { type: "array", minItems: 1, maxItems: 100, items: rule },
    },
  },
});
