// What the schema cannot say of Jobs and CronJobs.
import { Cron } from "croner";
import { jsonEqual } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { podSpecErrors } from "../core/pod-validation.ts";
import { invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";

const policies = ["OnFailure", "Never"];

function jobSpecErrors(spec: any, at: string): FieldError[] {
  const pod = spec?.template?.spec;
  const errors = podSpecErrors(pod, `${at}.template.spec`);
  if (!pod) return errors;
  const field = `${at}.template.spec.restartPolicy`;
  if (pod.restartPolicy === "Always") {
    const list = policies.map((policy) => JSON.stringify(policy)).join(", ");
    const message = `Required value: valid values: ${list}`;
    errors.push({ type: "FieldValueRequired", field, message });
  }
  return errors;
}

export function jobErrors({ object: { spec }, old, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  const errors = jobSpecErrors(spec, "spec");
  if (!old) return errors;
  for (const name of ["selector", "completionMode"]) {
    if (!jsonEqual(old.spec[name], spec[name])) {
      errors.push(invalidValue(`spec.${name}`, spec[name], "field is immutable"));
    }
  }
  if (!jsonEqual(old.spec.template, spec.template) && !old.spec.suspend) {
    errors.push(invalidValue("spec.template", spec.template, "field is immutable"));
  }
  return errors;
}

function scheduleErrors(schedule: string | undefined): FieldError[] {
  if (!schedule) return [required("spec.schedule")];
  try {
    void new Cron(schedule, { paused: true, mode: "5-part" });
    return [];
  } catch (error) {
    return [invalidValue("spec.schedule", schedule, (error as Error).message)];
  }
}

export function cronJobErrors({ object: { spec }, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  return [
    ...scheduleErrors(spec?.schedule),
    ...supported("spec.concurrencyPolicy", spec?.concurrencyPolicy, ["Allow", "Forbid", "Replace"]),
    ...jobSpecErrors(spec?.jobTemplate?.spec, "spec.jobTemplate.spec"),
  ];
}
