// DeviceTwin: what a device's values are and what they are to be. People set `desired`; whoever reaches the device
// writes it there, now or when it is back, and reports what the device says.
import type { Condition } from "./condition.ts";
import type { Definition } from "../../client/definitions.ts";
import { resource } from "../../client/client.ts";
import { conditions } from "../../kinds/condition-schema.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Schema } from "../../kinds/schema.ts";

export const deviceTwins = resource("devices.kerb.dev/v1alpha1", "devicetwins");

export interface TwinProperty {
  name: string;
  mode?: "ReadOnly" | "ReadWrite";
  /** How its handler finds it: a register, a topic, a path. */
  access: Record<string, any>;
  intervalSeconds?: number;
  desired?: string;
}

export interface ReportedProperty {
  name: string;
  reported?: string;
  /** Of the last change. */
  since?: string;
  error?: string;
}

export interface DeviceTwin extends KubeObject {
  spec: { instance: string; properties?: TwinProperty[] };
  status?: { node?: string; properties?: ReportedProperty[]; conditions?: Condition[] };
}

/** Of what a property is or is to be. */
export const valueCharsMax = 4096;
const text: Schema = { type: "string", maxLength: valueCharsMax };

const byName = (properties: Record<string, Schema>, required: string[]): Schema => ({
  type: "array",
  maxItems: 256,
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["name"],
  items: {
    type: "object",
    required,
    properties: { name: { ...text, minLength: 1 }, ...properties },
  },
});

/** Of a twin, and of a Configuration that wants twins for what it finds. */
export const twinProperties = byName(
  {
    mode: { type: "string", enum: ["ReadOnly", "ReadWrite"], default: "ReadOnly" },
    access: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
    intervalSeconds: { type: "integer", minimum: 1, maximum: 86_400, default: 10 },
    desired: text,
  },
  ["name", "access"],
);

const spec: Schema = {
  type: "object",
  required: ["instance"],
  properties: { instance: { type: "string" }, properties: twinProperties },
};

const status: Schema = {
  type: "object",
  properties: {
    node: { type: "string" },
    properties: byName(
      { reported: text, since: { type: "string", format: "date-time" }, error: text },
      ["name"],
    ),
    conditions,
  },
};

const condition = (type: string) => `.status.conditions[?(@.type=="${type}")].status`;

export const deviceTwinDefinition: Definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "devicetwins.devices.kerb.dev" },
  spec: {
    group: "devices.kerb.dev",
    scope: "Namespaced",
    names: {
      plural: "devicetwins",
      singular: "devicetwin",
      kind: "DeviceTwin",
      shortNames: ["twin"],
    },
    versions: [
      {
        name: "v1alpha1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: "object", required: ["spec"], properties: { spec, status } },
        },
        subresources: { status: {} },
        additionalPrinterColumns: [
          { name: "Node", type: "string", jsonPath: ".status.node" },
          { name: "Online", type: "string", jsonPath: condition("Online") },
          { name: "Synced", type: "string", jsonPath: condition("Synced") },
          { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
        ],
      },
    ],
  },
};
