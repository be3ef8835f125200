// AutoAcceptRule: which sites are accepted without a person, by who introduces them and under which name.
import type { Schema } from "../../kinds/schema.ts";
import { fleetDefinition } from "./fleet.ts";

const names: Schema = {
  type: "array",
  items: { type: "string", minLength: 1, maxLength: 253 },
  maxItems: 100,
};

export interface AutoAcceptSpec {
  users?: string[];
  groups?: string[];
  /** Patterns with `*`; none: any. */
  names?: string[];
  labels?: Record<string, string>;
}

export const autoAcceptRuleDefinition = fleetDefinition({
  kind: "AutoAcceptRule",
  plural: "autoacceptrules",
  shortNames: ["aar"],
  scope: "Cluster",
  columns: [
    { name: "Groups", jsonPath: ".spec.groups" },
    { name: "Users", jsonPath: ".spec.users" },
    { name: "Names", jsonPath: ".spec.names" },
    { name: "Age", jsonPath: ".metadata.creationTimestamp", type: "date" },
  ],
  spec: {
    type: "object",
    properties: {
      users: names,
      groups: names,
      names,
      labels: { type: "object", additionalProperties: { type: "string", maxLength: 63 } },
    },
  },
});
