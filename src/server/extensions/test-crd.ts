// A definition much like those people write, for the tests of this room.
import type { Schema } from "../../kinds/schema.ts";
import type { Crd } from "./crd.ts";

export const backupSchema: Schema = {
  type: "object",
  required: ["spec"],
  properties: {
    apiVersion: { type: "string" },
    kind: { type: "string" },
    metadata: { type: "object" },
    spec: {
      type: "object",
      required: ["schedule"],
      properties: {
        schedule: { type: "string", pattern: "^(\\S+ ){4}\\S+$" },
        replicas: { type: "integer", minimum: 0, default: 1 },
        paused: { type: "boolean", default: false },
        maxUnavailable: {
          "x-kubernetes-int-or-string": true,
          anyOf: [{ type: "integer" }, { type: "string" }],
        },
        volumes: {
          type: "array",
          "x-kubernetes-list-type": "map",
          "x-kubernetes-list-map-keys": ["name"],
          items: {
            type: "object",
            required: ["name"],
            properties: { name: { type: "string" }, path: { type: "string" } },
          },
        },
        values: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
        template: {
          type: "object",
          "x-kubernetes-embedded-resource": true,
          "x-kubernetes-preserve-unknown-fields": true,
        },
      },
    },
    status: {
      type: "object",
      properties: { replicas: { type: "integer" }, phase: { type: "string" } },
    },
  },
};

/** `backups.example.com`, with `spec` laid over. */
export const backupCrd = (spec: Partial<Crd["spec"]> = {}, name?: string): Crd => {
  const names = {
    plural: "backups",
    singular: "backup",
    kind: "Backup",
    listKind: "BackupList",
    shortNames: ["bk"],
    categories: ["all"],
  };
  const full: Crd["spec"] = {
    group: "example.com",
    scope: "Namespaced",
    names,
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: backupSchema },
        subresources: {
          status: {},
          scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" },
        },
        additionalPrinterColumns: [
          { name: "Schedule", type: "string", jsonPath: ".spec.schedule" },
          { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp", priority: 1 },
        ],
        selectableFields: [{ jsonPath: ".spec.schedule" }],
      },
    ],
    conversion: { strategy: "None" },
    ...spec,
  };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: {
      name: name ?? `${full.names.plural}.${full.group}`,
      uid: "u",
      resourceVersion: "",
      creationTimestamp: "2026-01-01T00:00:00Z",
    },
    spec: full,
  };
};
