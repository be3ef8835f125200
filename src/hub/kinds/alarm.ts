// Alarm: something at a site that a person should know of. One object per alarm and entity, which stays for a
// while after it is over. What it blocks is said by whoever raises it.
import type { KubeObject } from "../../kinds/object.ts";
import { fleetDefinition } from "./fleet.ts";
import type { Schema } from "../../kinds/schema.ts";

export const severities = ["critical", "major", "minor", "warning"] as const;

export interface AlarmSpec {
  /** What kind of alarm: `NodeNotReady`. */
  id: string;
  /** Whom it is about: `Node/box`, `Deployment/shop/till`. */
  entity: string;
  severity: (typeof severities)[number];
  reason: string;
  /** What a person may do about it. */
  repair?: string;
  /** No rollout changes the site while it lasts. */
  managementAffecting?: boolean;
  /** Known and borne: it blocks nothing. */
  suppressed?: boolean;
  raisedAt?: string;
}

export interface Alarm extends KubeObject {
  spec: AlarmSpec;
  status?: { clearedAt?: string; history?: { raisedAt: string; clearedAt: string }[] };
}

const string: Schema = { type: "string", maxLength: 1024 };
const time: Schema = { type: "string", format: "date-time" };

/** Fields that an alarm and the rule that raises it have in common. */
export const alarmFields = {
  id: { type: "string", pattern: "^[A-Za-z0-9][A-Za-z0-9.-]*$", maxLength: 63 },
  severity: { type: "string", enum: [...severities] },
  repair: string,
  managementAffecting: { type: "boolean" },
  suppressed: { type: "boolean" },
} satisfies Record<string, Schema>;

export const alarmDefinition = fleetDefinition({
  kind: "Alarm",
  plural: "alarms",
  scope: "Namespaced",
  columns: [
    { name: "Severity", jsonPath: ".spec.severity" },
    { name: "Id", jsonPath: ".spec.id" },
    { name: "Entity", jsonPath: ".spec.entity" },
    { name: "Reason", jsonPath: ".spec.reason" },
    { name: "Raised", jsonPath: ".spec.raisedAt", type: "date" },
    { name: "Cleared", jsonPath: ".status.clearedAt", type: "date" },
    { name: "Blocks", jsonPath: ".spec.managementAffecting", type: "boolean", priority: 1 },
    { name: "Suppressed", jsonPath: ".spec.suppressed", type: "boolean", priority: 1 },
    { name: "Repair", jsonPath: ".spec.repair", priority: 1 },
  ],
  spec: {
    type: "object",
    required: ["id", "entity", "severity", "reason"],
    properties: { ...alarmFields, entity: string, reason: string, raisedAt: time },
  },
  status: {
    type: "object",
    properties: {
      clearedAt: { ...time, nullable: true },
      history: {
        type: "array",
        items: { type: "object", properties: { raisedAt: time, clearedAt: time } },
      },
    },
  },
});
