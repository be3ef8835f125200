// Akri's Configuration: what to look for, how many may use what is found, and what runs for it. The spec is
// Akri's; the status is Kerb's addition.
import { resource } from "../../client/client.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import type { Schema } from "../../kinds/schema.ts";
import { conditions } from "../../kinds/condition-schema.ts";

export const configurations = resource("akri.sh/v0", "configurations");

export interface KeyRef {
  name: string;
  key?: string;
  namespace?: string;
  optional?: boolean;
}

export interface DiscoveryProperty {
  name: string;
  value?: string | null;
  valueFrom?: { secretKeyRef?: KeyRef; configMapKeyRef?: KeyRef };
}

export interface ConfigurationSpec {
  discoveryHandler?: {
    name?: string;
    discoveryDetails?: string;
    discoveryProperties?: DiscoveryProperty[] | null;
  };
  capacity?: number;
  brokerSpec?: {
    brokerPodSpec?: Record<string, any> | null;
    brokerJobSpec?: Record<string, any> | null;
  };
  instanceServiceSpec?: Record<string, any> | null;
  configurationServiceSpec?: Record<string, any> | null;
  brokerProperties?: Record<string, string>;
}

export interface Configuration extends KubeObject {
  spec?: ConfigurationSpec;
}

export const capacityOf = ({ spec }: Configuration) => Math.max(0, spec?.capacity ?? 1);

const open: Schema = {
  type: "object",
  nullable: true,
  "x-kubernetes-preserve-unknown-fields": true,
};

const keyRef: Schema = {
  type: "object",
  required: ["name"],
  properties: {
    key: { type: "string" },
    name: { type: "string" },
    namespace: { type: "string" },
    optional: { type: "boolean" },
  },
};

const property: Schema = {
  type: "object",
  required: ["name"],
  properties: {
    name: { type: "string", pattern: "^[_A-Za-z][_A-Za-z0-9]*$" },
    value: { type: "string", nullable: true },
    valueFrom: {
      type: "object",
      properties: { secretKeyRef: keyRef, configMapKeyRef: keyRef },
      oneOf: [{ required: ["secretKeyRef"] }, { required: ["configMapKeyRef"] }],
    },
  },
  oneOf: [{ required: ["value"] }, { required: ["valueFrom"] }],
};

const spec: Schema = {
  type: "object",
  properties: {
    discoveryHandler: {
      type: "object",
      properties: {
        name: { type: "string" },
        discoveryDetails: { type: "string" },
        discoveryProperties: { type: "array", nullable: true, items: property },
      },
    },
    capacity: { type: "integer" },
    brokerSpec: {
      type: "object",
      properties: { brokerJobSpec: open, brokerPodSpec: open },
    },
    instanceServiceSpec: open,
    configurationServiceSpec: open,
    brokerProperties: { type: "object", additionalProperties: { type: "string" } },
  },
};

/** What each node's search came to. */
const status: Schema = {
  type: "object",
  properties: {
    nodes: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["name"],
      items: {
        type: "object",
        required: ["name"],
        properties: {
          name: { type: "string" },
          devices: { type: "integer" },
          lastSeen: { type: "string", format: "date-time" },
          reason: { type: "string" },
          message: { type: "string" },
        },
      },
    },
    conditions,
  },
};

export const configurationDefinition: Draft & { metadata: { name: string } } = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "configurations.akri.sh" },
  spec: {
    group: "akri.sh",
    scope: "Namespaced",
    names: {
      plural: "configurations",
      singular: "configuration",
      kind: "Configuration",
      shortNames: ["akric"],
      categories: ["all"],
    },
    versions: [
      {
        name: "v0",
        served: true,
        storage: true,
        schema: { openAPIV3Schema: { type: "object", properties: { spec, status } } },
        subresources: { status: {} },
        additionalPrinterColumns: [
          {
            name: "Capacity",
            type: "string",
            description: "How many may use each device at once",
            jsonPath: ".spec.capacity",
          },
          { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
        ],
      },
    ],
  },
};
