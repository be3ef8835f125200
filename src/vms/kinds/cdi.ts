// cdi.kubevirt.io: volumes with a disk in them, and what clients ask of the importer's settings. Of these kinds
// KubeVirt's document holds the DataVolume's spec alone; the rest is written here.
import type { Schema } from "../../kinds/schema.ts";
import { schemaOf } from "./schemas.ts";
import { age, phase, vmDefinition, withStatus } from "./vm-definition.ts";

const text: Schema = { type: "string" };
const time: Schema = { type: "string", format: "date-time", nullable: true };
const open: Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };

const conditions: Schema = {
  type: "array",
  items: {
    type: "object",
    required: ["type", "status"],
    properties: {
      ...{ type: text, status: text, reason: text, message: text },
      ...{ lastHeartbeatTime: time, lastTransitionTime: time },
    },
  },
};

const reference: Schema = {
  type: "object",
  required: ["name"],
  properties: { kind: text, name: text, namespace: text },
};

const of = (kind: string, plural: string) => ({
  ...{ group: "cdi.kubevirt.io", versions: ["v1beta1"], kind, plural },
  subresources: withStatus,
});

const withOpenSpec: Schema = { type: "object", properties: { spec: open, status: open } };

export const cdiDefinitions = [
  vmDefinition({
    ...of("DataVolume", "datavolumes"),
    shortNames: ["dv", "dvs"],
    categories: ["all"],
    schema: {
      type: "object",
      required: ["spec"],
      properties: {
        spec: schemaOf("v1beta1.DataVolumeSpec"),
        status: {
          type: "object",
          properties: {
            ...{ claimName: text, phase: text, progress: text, conditions },
            restartCount: { type: "integer", format: "int32" },
          },
        },
      },
    },
    columns: [
      { name: "Phase", jsonPath: ".status.phase" },
      { name: "Progress", jsonPath: ".status.progress" },
      { name: "Restarts", jsonPath: ".status.restartCount", type: "integer" },
      age,
    ],
  }),
  vmDefinition({
    ...of("DataSource", "datasources"),
    shortNames: ["das"],
    categories: ["all"],
    schema: {
      type: "object",
      required: ["spec"],
      properties: {
        spec: {
          type: "object",
          required: ["source"],
          properties: {
            source: {
              type: "object",
              properties: { pvc: reference, dataSource: reference, snapshot: reference },
            },
          },
        },
        status: { type: "object", properties: { source: open, conditions } },
      },
    },
    columns: [age],
  }),
  vmDefinition({
    ...of("DataImportCron", "dataimportcrons"),
    shortNames: ["dic", "dics"],
    categories: ["all"],
    schema: {
      type: "object",
      required: ["spec"],
      properties: {
        spec: {
          type: "object",
          required: ["managedDataSource", "schedule", "template"],
          properties: {
            ...{ managedDataSource: text, schedule: text, garbageCollect: text },
            ...{ retentionPolicy: text, createdBy: text, serviceAccountName: text },
            importsToKeep: { type: "integer", format: "int32" },
            template: {
              type: "object",
              required: ["spec"],
              properties: { metadata: open, spec: schemaOf("v1beta1.DataVolumeSpec") },
            },
          },
        },
        status: {
          type: "object",
          properties: {
            currentImports: {
              type: "array",
              items: {
                type: "object",
                required: ["DataVolumeName", "Digest"],
                properties: { DataVolumeName: text, Digest: text },
              },
            },
            lastImportedPVC: reference,
            ...{ lastExecutionTimestamp: time, lastImportTimestamp: time, conditions },
            sourceFormat: text,
          },
        },
      },
    },
    columns: [{ name: "Format", jsonPath: ".status.sourceFormat" }, age],
  }),
  vmDefinition({
    ...of("StorageProfile", "storageprofiles"),
    ...{ scope: "Cluster" as const, schema: withOpenSpec, columns: [age] },
  }),
  vmDefinition({
    ...of("CDIConfig", "cdiconfigs"),
    ...{ scope: "Cluster" as const, schema: withOpenSpec, columns: [age] },
  }),
  vmDefinition({
    ...of("CDI", "cdis"),
    shortNames: ["cdi"],
    ...{ scope: "Cluster" as const, schema: withOpenSpec, columns: [age, phase] },
  }),
];
