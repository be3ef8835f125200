// What the schema cannot say of ReplicationControllers, whose selectors are plain labels.
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue, notNegative, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { podSpecErrors } from "./pod-validation.ts";

export function replicationControllerErrors({
  object: { spec },
  subresource,
}: Change): FieldError[] {
  if (subresource !== "") return [];
  const { template, replicas } = spec ?? {};
  const selector = Object.entries<string>(spec?.selector ?? {});
  const errors = selector.length > 0 ? [] : [required("spec.selector")];
  errors.push(...notNegative(replicas, "spec.replicas"));
  if (!template) return [...errors, required("spec.template")];
  const labels = template.metadata?.labels ?? {};
  if (selector.some(([key, value]) => labels[key] !== value)) {
    const why = "`selector` does not match template `labels`";
    errors.push(invalidValue("spec.template.metadata.labels", labels, why));
  }
  return [
    ...errors,
    ...podSpecErrors(template.spec, "spec.template.spec"),
    ...supported("spec.template.spec.restartPolicy", template.spec?.restartPolicy, ["Always"]),
  ];
}
