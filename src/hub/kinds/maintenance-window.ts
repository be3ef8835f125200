// MaintenanceWindow: when sites may be changed.
import { conditions } from "../../kinds/condition-schema.ts";
import { fleetDefinition, labelSelector } from "./fleet.ts";

export const maintenanceWindowDefinition = fleetDefinition({
  kind: "MaintenanceWindow",
  plural: "maintenancewindows",
  shortNames: ["mw"],
  scope: "Cluster",
  columns: [
    { name: "Schedule", jsonPath: ".spec.schedule" },
    { name: "Duration", jsonPath: ".spec.duration" },
    { name: "Zone", jsonPath: ".spec.timeZone" },
    { name: "Valid", jsonPath: '.status.conditions[?(@.type=="Valid")].status' },
    { name: "Age", jsonPath: ".metadata.creationTimestamp", type: "date" },
  ],
  spec: {
    type: "object",
    required: ["schedule", "duration"],
    properties: {
      schedule: { type: "string", minLength: 1, maxLength: 100 },
      duration: { type: "string", pattern: "^([0-9]+[hms])+$" },
      timeZone: { type: "string" },
      siteSelector: labelSelector,
    },
  },
  status: { type: "object", properties: { conditions } },
});
