// UpdateStrategy: one operation, carried out at many sites in an order, so many at once, until one fails.
import type { KubeObject } from "../../kinds/object.ts";
import type { LabelSelector } from "../../lib/label-selector.ts";
import { fleetDefinition, labelSelector } from "./fleet.ts";
import { operationSchema } from "./operation.ts";
import type { Operation } from "./operation.ts";
import { paceSchema } from "./site-group.ts";
import type { Pace } from "./site-group.ts";

export interface SiteStep {
  site: string;
  state: "Initial" | "Applying" | "Complete" | "Failed" | "Aborted" | "Skipped";
  message?: string;
  startedAt?: string;
  finishedAt?: string;
}

export type StrategyState =
  | "Initial"
  | "Applying"
  | "Paused"
  | "Aborting"
  | "Complete"
  | "Failed"
  | "Aborted";

export interface StrategyStatus {
  state: StrategyState;
  /** What it does, or why it does nothing, and what happens next. */
  message: string;
  done: number;
  total: number;
  sites: SiteStep[];
}

export interface UpdateStrategy extends KubeObject {
  spec: {
    operation: Operation;
    group?: string;
    siteSelector?: LabelSelector;
    /** Maintenance windows and alarms do not hold it up. */
    force?: boolean;
    paused?: boolean;
    aborted?: boolean;
  } & Pace;
  status?: StrategyStatus;
}

const time = { type: "string", format: "date-time" } as const;
const count = { type: "integer", format: "int32" } as const;

export const updateStrategyDefinition = fleetDefinition({
  kind: "UpdateStrategy",
  plural: "updatestrategies",
  scope: "Cluster",
  columns: [
    { name: "Type", jsonPath: ".spec.operation.type" },
    { name: "State", jsonPath: ".status.state" },
    { name: "Done", jsonPath: ".status.done", type: "integer" },
    { name: "Of", jsonPath: ".status.total", type: "integer" },
    { name: "Message", jsonPath: ".status.message" },
    { name: "Age", jsonPath: ".metadata.creationTimestamp", type: "date" },
  ],
  spec: {
    type: "object",
    required: ["operation"],
    properties: {
      operation: {
        ...operationSchema,
        "x-kubernetes-validations": [
          ...(operationSchema as any)["x-kubernetes-validations"],
          { rule: "self == oldSelf", message: "is decided once; make another strategy" },
        ],
      } as typeof operationSchema,
      group: { type: "string", minLength: 1, maxLength: 253 },
      siteSelector: labelSelector,
      ...paceSchema,
      force: { type: "boolean" },
      paused: { type: "boolean" },
      aborted: { type: "boolean" },
    },
  },
  status: {
    type: "object",
    properties: {
      state: { type: "string" },
      message: { type: "string" },
      done: count,
      total: count,
      sites: {
        type: "array",
        items: {
          type: "object",
          required: ["site", "state"],
          properties: {
            site: { type: "string" },
            state: {
              type: "string",
              enum: ["Initial", "Applying", "Complete", "Failed", "Aborted", "Skipped"],
            },
            message: { type: "string" },
            startedAt: time,
            finishedAt: time,
          },
        },
      },
    },
  },
});
