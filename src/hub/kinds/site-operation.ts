// SiteOperation: one thing that one site does to itself, in its namespace at the hub. The site carries it out and
// says how far it is; a strategy makes one for each of its sites.
import type { KubeObject } from "../../kinds/object.ts";
import { fleetDefinition } from "./fleet.ts";
import { operationSchema } from "./operation.ts";
import type { Operation } from "./operation.ts";

export interface OperationStatus {
  phase?: "Running" | "Complete" | "Failed";
  /** What it does now, one word. */
  step?: string;
  message?: string;
  startedAt?: string;
  finishedAt?: string;
  /** When the step began: what a site that was started anew goes on from. */
  steppedAt?: string;
}

export interface SiteOperation extends KubeObject {
  spec: Operation;
  status?: OperationStatus;
}

const time = { type: "string", format: "date-time" } as const;

export const siteOperationDefinition = fleetDefinition({
  kind: "SiteOperation",
  plural: "siteoperations",
  shortNames: ["siteop"],
  scope: "Namespaced",
  columns: [
    { name: "Type", jsonPath: ".spec.type" },
    { name: "Phase", jsonPath: ".status.phase" },
    { name: "Step", jsonPath: ".status.step" },
    { name: "Message", jsonPath: ".status.message" },
    { name: "Age", jsonPath: ".metadata.creationTimestamp", type: "date" },
  ],
  spec: operationSchema,
  status: {
    type: "object",
    properties: {
      phase: { type: "string", enum: ["Running", "Complete", "Failed"] },
      step: { type: "string", maxLength: 63 },
      message: { type: "string", maxLength: 2048 },
      startedAt: time,
      finishedAt: time,
      steppedAt: time,
    },
  },
});
