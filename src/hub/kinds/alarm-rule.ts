// AlarmRule: which condition of which objects is an alarm.
import type { LabelSelector } from "../../lib/label-selector.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { alarmFields } from "./alarm.ts";
import type { AlarmSpec } from "./alarm.ts";
import { fleetDefinition, labelSelector } from "./fleet.ts";

export interface AlarmRule extends KubeObject {
  spec: {
    /** The core group when absent. */
    group?: string;
    kind: string;
    selector?: LabelSelector;
    condition: { type: string; statuses: string[] };
    /** How long the condition must have been so. */
    forSeconds?: number;
  } & Pick<AlarmSpec, "id" | "severity" | "repair" | "managementAffecting" | "suppressed">;
}

export const alarmRuleDefinition = fleetDefinition({
  kind: "AlarmRule",
  plural: "alarmrules",
  scope: "Cluster",
  columns: [
    { name: "Id", jsonPath: ".spec.id" },
    { name: "Severity", jsonPath: ".spec.severity" },
    { name: "Kind", jsonPath: ".spec.kind" },
    { name: "Condition", jsonPath: ".spec.condition.type" },
    { name: "Suppressed", jsonPath: ".spec.suppressed", type: "boolean" },
  ],
  spec: {
    type: "object",
    required: ["id", "severity", "kind", "condition"],
    properties: {
      ...alarmFields,
      group: { type: "string" },
      kind: { type: "string" },
      selector: labelSelector,
      condition: {
        type: "object",
        required: ["type", "statuses"],
        properties: {
          type: { type: "string" },
          statuses: {
            type: "array",
            minItems: 1,
            items: { type: "string", enum: ["True", "False", "Unknown"] },
          },
        },
      },
      forSeconds: { type: "integer", format: "int32", minimum: 0 },
    },
  },
});
