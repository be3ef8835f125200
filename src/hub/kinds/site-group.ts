// SiteGroup: sites that are operated on alike, and how many of them at once.
import { fleetDefinition, labelSelector } from "./fleet.ts";
import type { LabelSelector } from "../../lib/label-selector.ts";

export interface Pace {
  maxParallel?: number;
  stopOnFailure?: boolean;
}

export interface SiteGroupSpec extends Pace {
  siteSelector?: LabelSelector;
}

export const maxParallelDefault = 2;

/** Where nobody says otherwise the group's counts, and then two at once and a stop at the first failure. */
export const paceSchema = {
  maxParallel: { type: "integer", format: "int32", minimum: 1, maximum: 5000 },
  stopOnFailure: { type: "boolean" },
} as const;

export const siteGroupDefinition = fleetDefinition({
  kind: "SiteGroup",
  plural: "sitegroups",
  scope: "Cluster",
  columns: [
    { name: "Parallel", jsonPath: ".spec.maxParallel", type: "integer" },
    { name: "Stop on failure", jsonPath: ".spec.stopOnFailure", type: "boolean" },
    { name: "Sites", jsonPath: ".status.sites", type: "integer" },
    { name: "Age", jsonPath: ".metadata.creationTimestamp", type: "date" },
  ],
  spec: { type: "object", properties: { siteSelector: labelSelector, ...paceSchema } },
  status: { type: "object", properties: { sites: { type: "integer", format: "int32" } } },
});
