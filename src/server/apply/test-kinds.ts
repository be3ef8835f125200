// Schemas for the tests of this room: a pod much like the real one, and a kind without a schema.
import type { Kind } from "../../kinds/kind.ts";
import type { Schema } from "../../kinds/schema.ts";

const string: Schema = { type: "string" };
const integer: Schema = { type: "integer" };
const stringMap: Schema = { type: "object", additionalProperties: string };
const atomicList = (items: Schema): Schema => ({ type: "array", items });
const mapList = (items: Schema, ...keys: string[]): Schema => ({
  type: "array",
  items,
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": keys,
});

const objectMeta: Schema = {
  type: "object",
  properties: {
    name: string,
    namespace: string,
    generateName: string,
    uid: string,
    resourceVersion: string,
    generation: integer,
    creationTimestamp: string,
    labels: stringMap,
    annotations: stringMap,
    finalizers: { type: "array", items: string, "x-kubernetes-list-type": "set" },
    ownerReferences: mapList(
      { type: "object", properties: { uid: string, name: string, kind: string } },
      "uid",
    ),
  },
};

const container: Schema = {
  type: "object",
  required: ["name"],
  properties: {
    name: string,
    image: string,
    imagePullPolicy: string,
    args: atomicList(string),
    env: mapList({ type: "object", properties: { name: string, value: string } }, "name"),
    ports: mapList(
      {
        type: "object",
        properties: {
          containerPort: integer,
          protocol: { type: "string", default: "TCP" },
          name: string,
        },
      },
      "containerPort",
      "protocol",
    ),
    resources: {
      type: "object",
      properties: { limits: stringMap, requests: stringMap },
    },
  },
};

const pod: Schema = {
  type: "object",
  properties: {
    apiVersion: string,
    kind: string,
    metadata: { ref: "ObjectMeta" },
    spec: { ref: "PodSpec" },
    status: { ref: "PodStatus" },
  },
};

const podSpec: Schema = {
  type: "object",
  required: ["containers"],
  properties: {
    containers: mapList({ ref: "Container" }, "name"),
    nodeSelector: {
      type: "object",
      additionalProperties: string,
      "x-kubernetes-map-type": "atomic",
    },
    replicas: integer,
    restartPolicy: string,
    securityContext: { type: "object", properties: { runAsUser: integer } },
    tolerations: atomicList({ type: "object", properties: { key: string } }),
    schedulingGates: mapList({ type: "object", properties: { name: string } }, "name"),
  },
};

const podStatus: Schema = {
  type: "object",
  properties: {
    phase: string,
    conditions: mapList(
      { type: "object", properties: { type: string, status: string, reason: string } },
      "type",
    ),
  },
};

const named: Record<string, Schema> = {
  ObjectMeta: objectMeta,
  Container: container,
  PodSpec: podSpec,
  PodStatus: podStatus,
};

export const definitions = (name: string): Schema => {
  const found = named[name];
  if (!found) throw new Error(`no definition ${name}`);
  return found;
};

const makeKind = (kind: string, group: string, schema: Schema): Kind => ({
  group,
  version: "v1",
  kind,
  listKind: `${kind}List`,
  plural: `${kind.toLowerCase()}s`,
  singular: kind.toLowerCase(),
  shortNames: [],
  categories: [],
  namespaced: true,
  verbs: ["create", "get", "list", "watch", "update", "patch", "delete"],
  schema,
  columns: [],
  subresources: ["status"],
});

export const podKind = makeKind("Pod", "", pod);
export const freeKind = makeKind("Free", "example.com", {
  type: "object",
  "x-kubernetes-preserve-unknown-fields": true,
});
