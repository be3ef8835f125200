// metrics.k8s.io/v1beta1: what nodes and pods use now. Asked for, never stored.
import type { Kind } from "../../kinds/kind.ts";
import type { Schema } from "../../kinds/schema.ts";

export const metricsGroup = "metrics.k8s.io";

const usage: Schema = {
  type: "object",
  description: "Usage by resource: cpu and memory.",
  additionalProperties: { type: "string", "x-kubernetes-int-or-string": true },
};
const time: Schema = { type: "string", format: "date-time" };
const shared = {
  timestamp: { ...time, description: "When the usage was taken." },
  window: { type: "string", description: "The time over which the usage of cpu is the mean." },
} as const;

const kind = (of: Pick<Kind, "kind" | "plural" | "singular" | "namespaced" | "schema">): Kind => ({
  group: metricsGroup,
  version: "v1beta1",
  listKind: `${of.kind}List`,
  shortNames: [],
  categories: [],
  verbs: ["get", "list"],
  columns: [],
  subresources: [],
  virtual: true,
  ...of,
});

export const nodeMetrics = kind({
  kind: "NodeMetrics",
  plural: "nodes",
  singular: "",
  namespaced: false,
  schema: {
    type: "object",
    description: "NodeMetrics is what a node uses.",
    properties: { ...shared, usage },
  },
});

export const podMetrics = kind({
  kind: "PodMetrics",
  plural: "pods",
  singular: "",
  namespaced: true,
  schema: {
    type: "object",
    description: "PodMetrics is what the containers of a pod use.",
    properties: {
      ...shared,
      containers: {
        type: "array",
        items: { type: "object", properties: { name: { type: "string" }, usage } },
      },
    },
  },
});
