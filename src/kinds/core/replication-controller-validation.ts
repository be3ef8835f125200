// What the schema cannot say of ReplicationControllers, whose selectors are plain labels.
import { forbiddenValue, invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { atLeast, fields, none } from "../rules.ts";
import type { Errors } from "../rules.ts";
import { templateErrors } from "./pod-validation.ts";

const counts = fields({ minReadySeconds: atLeast(0), replicas: atLeast(0) });
const deadlineWhy = "activeDeadlineSeconds in ReplicationController is not Supported";

export function replicationControllerErrors({ object: { spec }, subresource }: Change): Errors {
  if (subresource !== "") return none;
  const { template, selector = {} } = spec ?? {};
  const pairs = Object.entries<string>(selector);
  const errors = [
    ...counts(spec ?? {}, "spec"),
    ...(pairs.length > 0 ? none : [required("spec.selector")]),
  ];
  if (!template) return [...errors, required("spec.template")];
  const labels = template.metadata?.labels;
  if (pairs.some(([key, value]) => labels?.[key] !== value)) {
    const why = "`selector` does not match template `labels`";
    errors.push(invalidValue("spec.template.metadata.labels", labels ?? null, why));
  }
  const { restartPolicy, activeDeadlineSeconds } = template.spec ?? {};
  const at = "spec.template.spec";
  return [
    ...errors,
    ...templateErrors(template, "spec.template"),
    ...supported(`${at}.restartPolicy`, restartPolicy, ["Always"]),
    ...(activeDeadlineSeconds === undefined
      ? none
      : [forbiddenValue(`${at}.activeDeadlineSeconds`, deadlineWhy)]),
  ];
}

export function podTemplateErrors({ object, subresource }: Change): Errors {
  return subresource === "" ? templateErrors(object["template"], "template") : none;
}
