// ReplicatedVolume: which copies of a volume are current, and who writes. Written by Kerb alone.
import type { Schema } from "../../kinds/schema.ts";
import { age, vmDefinition, withStatus } from "./vm-definition.ts";

const text: Schema = { type: "string" };

export const replicationDefinition = vmDefinition({
  ...{ group: "vms.kerb.dev", versions: ["v1alpha1"], scope: "Cluster" },
  ...{ kind: "ReplicatedVolume", plural: "replicatedvolumes", shortNames: ["rvol"] },
  subresources: withStatus,
  schema: {
    type: "object",
    properties: {
      spec: {
        type: "object",
        properties: {
          claimRef: {
            type: "object",
            properties: { namespace: text, name: text, uid: text },
          },
        },
      },
      status: {
        type: "object",
        properties: {
          copies: {
            type: "array",
            items: {
              type: "object",
              required: ["node", "state"],
              properties: { node: text, state: { type: "string", enum: ["Current", "Stale"] } },
            },
          },
          identical: { type: "boolean" },
          writer: {
            type: "object",
            properties: {
              ...{ pod: text, uid: text, released: { type: "boolean" } },
              nodes: { type: "array", items: text },
            },
          },
          ...{ current: text, stale: text },
        },
      },
    },
  },
  columns: [
    { name: "Claim", jsonPath: ".spec.claimRef.name" },
    { name: "Current", jsonPath: ".status.current" },
    { name: "Stale", jsonPath: ".status.stale" },
    { name: "Writer", jsonPath: ".status.writer.pod" },
    age,
  ],
});
