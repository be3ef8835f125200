// Akri's Configuration: what to look for, how many may use what is found, and what runs for it. Beyond Akri's
// fields there are presence, approval, searchBy, devices, and two more of brokerSpec; the status is Kerb's too.
import { resource } from "../../client/client.ts";
import type { Condition } from "./condition.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import type { Schema } from "../../kinds/schema.ts";
import { conditions } from "../../kinds/condition-schema.ts";
import { twinProperties } from "./device-twin.ts";
import type { TwinProperty } from "./device-twin.ts";

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
    /** A whole object of one of `brokerKinds`, made for each device. */
    brokerTemplate?: Record<string, any> | null;
    /** Of Pods and Jobs; texts may name `$(INSTANCE)`, `$(NODE)`, `$(DEVICE)` and properties. */
    brokerMetadata?: BrokerMetadata;
  };
  instanceServiceSpec?: Record<string, any> | null;
  configurationServiceSpec?: Record<string, any> | null;
  brokerProperties?: Record<string, string>;
  /** How long a device is waited for before it counts as there, and as gone. */
  presence?: { settleSeconds?: number; graceSeconds?: number };
  /** Manual: only what `devices` approves is offered and gets a broker. */
  approval?: "Automatic" | "Manual";
  /** OneNode: of all nodes one looks, and another when that is lost. */
  searchBy?: "EveryNode" | "OneNode";
  /** What people know of single devices. */
  devices?: KnownDevice[];
  /** A DeviceTwin for each device, with these values. */
  twin?: { properties: TwinProperty[] };
}

export interface BrokerMetadata {
  name?: string;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
}

export interface KnownDevice {
  /** The digest that ends its Instance's name. */
  device: string;
  approved?: boolean;
  properties?: Record<string, string>;
}

export interface NodeSearch {
  name: string;
  devices: number;
  lastSeen?: string;
  reason: string;
  message?: string;
}

export interface Configuration extends KubeObject {
  spec?: ConfigurationSpec;
  status?: {
    /** `akri.sh/NAME`; its Instances' resources lie in the same domain. */
    resourceName?: string;
    /** Which node looks, where one does for all. */
    searchNode?: string;
    nodes?: NodeSearch[];
    conditions?: Condition[];
  };
}

/** What a brokerTemplate may be of Kubernetes' own: workloads and their settings, nothing that gives rights. */
const brokerKinds = [
  "ConfigMap",
  "CronJob",
  "DaemonSet",
  "Deployment",
  "Job",
  "Pod",
  "ReplicaSet",
  "StatefulSet",
];

const brokerVersions = ["apps/v1", "batch/v1", "v1"];

const customGroup = /^[^/]+[.][^/]+[/]/;
const kubernetesGroup = /^([^/]+[.])?k8s[.]io[/]/;

/** In CEL. */
const quoted = (text: string) => `'${text}'`;
const listed = (texts: string[]) => `[${texts.map(quoted).join(", ")}]`;

/** A kind that is none of Kubernetes' own. */
export const isCustom = ({ apiVersion = "" }: { apiVersion?: string }) =>
  customGroup.test(apiVersion) && !kubernetesGroup.test(apiVersion);

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

const texts: Schema = { type: "object", additionalProperties: { type: "string" } };
const seconds: Schema = { type: "integer", minimum: 0, maximum: 86_400 };

const template: Schema = {
  ...open,
  required: ["apiVersion", "kind"],
  properties: {
    apiVersion: { type: "string", maxLength: 253 },
    kind: { type: "string", maxLength: 63 },
    metadata: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
  },
  "x-kubernetes-validations": [
    {
      // Kinds of others: who may make them is asked when they are made.
      rule:
        `self.kind in ${listed(brokerKinds)} && self.apiVersion in ${listed(brokerVersions)} || ` +
        `self.apiVersion.matches(${quoted(customGroup.source)}) && ` +
        `!self.apiVersion.matches(${quoted(kubernetesGroup.source)})`,
      message: `of Kubernetes' own kinds a broker may be a ${brokerKinds.join(", ")}; make others yourself`,
      fieldPath: ".kind",
      reason: "FieldValueForbidden",
    },
  ],
};

const knownDevice: Schema = {
  type: "object",
  required: ["device"],
  properties: {
    device: { type: "string", pattern: "^[0-9a-f]{6}$" },
    approved: { type: "boolean" },
    properties: texts,
  },
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
      properties: {
        brokerJobSpec: open,
        brokerPodSpec: open,
        brokerTemplate: template,
        brokerMetadata: {
          type: "object",
          properties: { name: { type: "string" }, labels: texts, annotations: texts },
        },
      },
    },
    instanceServiceSpec: open,
    configurationServiceSpec: open,
    brokerProperties: texts,
    presence: {
      type: "object",
      properties: { settleSeconds: seconds, graceSeconds: seconds },
    },
    approval: { type: "string", enum: ["Automatic", "Manual"] },
    searchBy: { type: "string", enum: ["EveryNode", "OneNode"] },
    devices: {
      type: "array",
      "x-kubernetes-list-type": "map",
      "x-kubernetes-list-map-keys": ["device"],
      items: knownDevice,
    },
    twin: {
      type: "object",
      required: ["properties"],
      properties: { properties: twinProperties },
    },
  },
};

/** What each node's search came to. */
const status: Schema = {
  type: "object",
  properties: {
    resourceName: { type: "string" },
    searchNode: { type: "string" },
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
