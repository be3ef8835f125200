// Akri's Instance: one device that was found, the nodes that reach it, and who holds its slots. The spec is
// Akri's; the status is Kerb's addition.
import { resource } from "../../client/client.ts";
import type { Condition } from "./condition.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import type { Schema } from "../../kinds/schema.ts";
import { conditions } from "../../kinds/condition-schema.ts";

export const instances = resource("akri.sh/v0", "instances");

export interface InstanceSpec {
  configurationName: string;
  cdiName: string;
  capacity: number;
  brokerProperties?: Record<string, string>;
  shared?: boolean;
  nodes?: string[];
  /** Slot to its holder: "" or absent when free, NODE, or C:VIRTUAL-DEVICE:NODE. */
  deviceUsage?: Record<string, string>;
}

export interface NodePresence {
  name: string;
  reason: "Seen" | "Away";
  message?: string;
  /** Of the last change. */
  since?: string;
}

export interface Instance extends KubeObject {
  spec: InstanceSpec;
  status?: { nodes?: NodePresence[]; conditions?: Condition[] };
}

/** The digest that ends its name. */
export const digestOf = ({ metadata }: KubeObject) => metadata.name.slice(-6);

const texts: Schema = { type: "object", default: {}, additionalProperties: { type: "string" } };

const spec: Schema = {
  type: "object",
  required: ["capacity", "cdiName", "configurationName"],
  properties: {
    configurationName: { type: "string" },
    cdiName: { type: "string" },
    capacity: { type: "integer", format: "uint", minimum: 0 },
    brokerProperties: texts,
    shared: { type: "boolean", default: false },
    nodes: {
      type: "array",
      default: [],
      "x-kubernetes-list-type": "set",
      items: { type: "string" },
    },
    deviceUsage: { ...texts, "x-kubernetes-map-type": "granular" },
  },
};

const status: Schema = {
  type: "object",
  properties: {
    nodes: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: {
        type: "object",
        required: ["name", "reason"],
        properties: {
          name: { type: "string" },
          reason: { type: "string" },
          message: { type: "string" },
          since: { type: "string", format: "date-time" },
        },
      },
    },
    conditions,
  },
};

export const instanceDefinition: Draft & { metadata: { name: string } } = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "instances.akri.sh" },
  spec: {
    group: "akri.sh",
    scope: "Namespaced",
    names: {
      plural: "instances",
      singular: "instance",
      kind: "Instance",
      shortNames: ["akrii"],
      categories: ["all"],
    },
    versions: [
      {
        name: "v0",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: { type: "object", required: ["spec"], properties: { spec, status } },
        },
        subresources: { status: {} },
        additionalPrinterColumns: [
          {
            name: "Config",
            type: "string",
            description: "The Configuration that this device answers to",
            jsonPath: ".spec.configurationName",
          },
          {
            name: "Shared",
            type: "boolean",
            description: "Whether several nodes may see it",
            jsonPath: ".spec.shared",
          },
          {
            name: "Nodes",
            type: "string",
            description: "The nodes that reach it",
            jsonPath: ".spec.nodes",
          },
          { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
        ],
      },
    ],
  },
};
