// `request` and `namespaceObject` of policies and match conditions, as far as expressions may name them.
import type { Schema } from "../../../kinds/schema.ts";

const text: Schema = { type: "string" };
const texts: Schema = { type: "array", items: text };
const number: Schema = { type: "integer" };
const time: Schema = { type: "string", format: "date-time" };
const object = (properties: Record<string, Schema>): Schema => ({ type: "object", properties });
const mapOf = (values: Schema): Schema =>
  ({ type: "object", additionalProperties: values }) as unknown as Schema;

const kind = object({ group: text, version: text, kind: text });
const resource = object({ group: text, version: text, resource: text });

export const requestSchema = object({
  kind,
  resource,
  subResource: text,
  requestKind: kind,
  requestResource: resource,
  requestSubResource: text,
  name: text,
  namespace: text,
  operation: text,
  userInfo: object({ username: text, uid: text, groups: texts, extra: mapOf(texts) }),
  dryRun: { type: "boolean" },
  options: {},
});

const condition = object({
  status: text,
  type: text,
  lastTransitionTime: time,
  message: text,
  reason: text,
});

export const namespaceSchema = object({
  metadata: object({
    name: text,
    generateName: text,
    namespace: text,
    labels: mapOf(text),
    annotations: mapOf(text),
    UID: text,
    creationTimestamp: time,
    deletionGracePeriodSeconds: number,
    deletionTimestamp: time,
    generation: number,
    resourceVersion: text,
    finalizers: texts,
  }),
  spec: object({ finalizers: texts }),
  status: object({ conditions: { type: "array", items: condition }, phase: text }),
});
