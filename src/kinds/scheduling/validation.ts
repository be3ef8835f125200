// What the schema cannot say of PriorityClasses.
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenValue, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";

const systemClasses = ["system-cluster-critical", "system-node-critical"];
const userValueMax = 1_000_000_000;

export function priorityClassErrors({ object }: Change): FieldError[] {
  const { name } = object.metadata;
  const errors = supported("preemptionPolicy", object["preemptionPolicy"], [
    "Never",
    "PreemptLowerPriority",
  ]);
  if (systemClasses.includes(name)) return errors;
  if (name.startsWith("system-")) {
    const why = "priority class names with 'system-' prefix are reserved for system use only";
    errors.push(forbiddenValue("metadata.name", why));
  } else if (object["value"] > userValueMax) {
    const why = `maximum allowed value of a user defined priority is ${userValueMax}`;
    errors.push(forbiddenValue("value", why));
  }
  return errors;
}
