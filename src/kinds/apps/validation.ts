// What the schema cannot say of workloads.
import { jsonEqual } from "../../lib/json.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { podSpecErrors } from "../core/pod-validation.ts";
import { invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";

const negative = (value: number | undefined, field: string): FieldError[] =>
  value !== undefined && value < 0
    ? [invalidValue(field, value, "must be greater than or equal to 0")]
    : [];

const isEmpty = (selector: any) =>
  !selector ||
  (Object.keys(selector.matchLabels ?? {}).length === 0 && !selector.matchExpressions?.length);

/** Deployment, ReplicaSet, StatefulSet and DaemonSet alike. */
export function workloadErrors({ object: { spec, kind }, old, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  if (!spec) return [required("spec.selector"), required("spec.template.spec.containers")];
  const errors = negative(spec.replicas, "spec.replicas");
  const labels = spec.template?.metadata?.labels;
  if (!spec.selector) errors.push(required("spec.selector"));
  else if (isEmpty(spec.selector)) {
    const why = `empty selector is invalid for ${kind.charAt(0).toLowerCase()}${kind.slice(1)}`;
    errors.push(invalidValue("spec.selector", spec.selector, why));
  } else if (!compileSelector(spec.selector)(labels)) {
    const why = "`selector` does not match template `labels`";
    errors.push(invalidValue("spec.template.metadata.labels", labels ?? {}, why));
  }
  if (old && !jsonEqual(old.spec.selector, spec.selector)) {
    errors.push(invalidValue("spec.selector", spec.selector, "field is immutable"));
  }
  const claims = (spec.volumeClaimTemplates ?? []).map(({ metadata }: any) => metadata?.name);
  errors.push(
    ...podSpecErrors(spec.template?.spec, "spec.template.spec", claims),
    ...supported("spec.template.spec.restartPolicy", spec.template?.spec?.restartPolicy, [
      "Always",
    ]),
  );
  return errors;
}
