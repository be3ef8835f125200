// What the schema cannot say of Jobs and CronJobs.
import { isTimeZone, parseSchedule } from "../../lib/cron-schedule.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { podSpecErrors } from "../core/pod-validation.ts";
import { invalidValue, notNegative, required, supported } from "../field-checks.ts";
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

const counts = [
  "parallelism",
  "completions",
  "activeDeadlineSeconds",
  "backoffLimit",
  "ttlSecondsAfterFinished",
];

function countErrors(spec: any, at: string): FieldError[] {
  const errors = counts.flatMap((field) => notNegative(spec?.[field], `${at}.${field}`));
  errors.push(
    ...supported(`${at}.completionMode`, spec?.completionMode, ["Indexed", "NonIndexed"]),
  );
  errors.push(
    ...supported(`${at}.podReplacementPolicy`, spec?.podReplacementPolicy, [
      "Failed",
      "TerminatingOrFailed",
    ]),
  );
  if (spec?.maxFailedIndexes !== undefined && spec.backoffLimitPerIndex === undefined) {
    errors.push(required(`${at}.backoffLimitPerIndex`, "when maxFailedIndexes is specified"));
  }
  if (spec?.completionMode === "Indexed" && spec.completions === undefined) {
    errors.push(required(`${at}.completions`, "when completion mode is Indexed"));
  }
  return errors;
}

export function jobErrors({ object: { spec }, old, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  const errors = [...countErrors(spec, "spec"), ...jobSpecErrors(spec, "spec")];
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
    parseSchedule(schedule, "UTC", 0);
    return [];
  } catch (error) {
    return [invalidValue("spec.schedule", schedule, (error as Error).message)];
  }
}

/** One that is there already stays: the zones that are known change with releases. */
function timeZoneErrors(zone: string | undefined, before: string | undefined): FieldError[] {
  if (zone === undefined || zone === before) return [];
  const wrong = (message: string) => [invalidValue("spec.timeZone", zone, message)];
  if (zone === "") return wrong("timeZone must be nil or non-empty string");
  if (zone.toLowerCase() === "local") {
    return wrong(
      "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones",
    );
  }
  return isTimeZone(zone) ? [] : wrong(`unknown time zone ${zone}`);
}

/** Its Jobs add the minutes since 1970, eleven characters with the hyphen. */
const nameCharsMax = 52;

function nameErrors(name: string): FieldError[] {
  if (name.length <= nameCharsMax) return [];
  return [invalidValue("metadata.name", name, "must be no more than 52 characters")];
}

export function cronJobErrors({ object, old, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  const { spec, metadata } = object;
  return [
    ...(old ? [] : nameErrors(metadata?.name ?? "")),
    ...scheduleErrors(spec?.schedule),
    ...timeZoneErrors(spec?.timeZone, old?.spec?.timeZone),
    ...supported("spec.concurrencyPolicy", spec?.concurrencyPolicy, ["Allow", "Forbid", "Replace"]),
    ...["startingDeadlineSeconds", "successfulJobsHistoryLimit", "failedJobsHistoryLimit"].flatMap(
      (field) => notNegative(spec?.[field], `spec.${field}`),
    ),
    ...countErrors(spec?.jobTemplate?.spec, "spec.jobTemplate.spec"),
    ...jobSpecErrors(spec?.jobTemplate?.spec, "spec.jobTemplate.spec"),
  ];
}
