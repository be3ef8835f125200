// What the schema cannot say of CronJobs.
import { isTimeZone, parseSchedule } from "../../lib/cron-schedule.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue, required } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { always, atLeast, fields, none, oneOf } from "../rules.ts";
import type { Errors } from "../rules.ts";
import { jobSpecErrors } from "./job-validation.ts";

const zoneWhy = "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";

function scheduleErrors(schedule: string | undefined, before: string | undefined): FieldError[] {
  const field = "spec.schedule";
  if (!schedule) return [required(field)];
  // What was allowed once stays.
  if (schedule === before) return [];
  if (schedule.includes("TZ") && !before?.includes("TZ")) {
    return [invalidValue(field, schedule, zoneWhy)];
  }
  try {
    parseSchedule(schedule, "UTC", 0);
    return [];
  } catch (error) {
    return [invalidValue(field, schedule, (error as Error).message)];
  }
}

const localWhy =
  "timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones";

/** One that is there already stays: the zones that are known change with releases. */
function timeZoneErrors(zone: string | undefined, before: string | undefined): FieldError[] {
  if (zone === undefined || zone === before) return [];
  const wrong = (message: string) => [invalidValue("spec.timeZone", zone, message)];
  if (zone === "") return wrong("timeZone must be nil or non-empty string");
  if (zone.toLowerCase() === "local") return wrong(localWhy);
  return isTimeZone(zone) ? [] : wrong(`unknown time zone ${zone}`);
}

/** Its Jobs add the minutes since 1970, eleven characters with the hyphen. */
const nameCharsMax = 52;

function nameErrors(name: string): FieldError[] {
  if (name.length <= nameCharsMax) return [];
  return [invalidValue("metadata.name", name, `must be no more than ${nameCharsMax} characters`)];
}

const template = always(fields({ spec: always((spec, at) => jobTemplateErrors(spec, at)) }));

function jobTemplateErrors(spec: any, at: string): Errors {
  const errors: FieldError[] = [...jobSpecErrors(spec, at)];
  const { manualSelector, selector } = spec;
  if (manualSelector) {
    const message = 'Unsupported value: true: supported values: "nil", "false"';
    errors.push({ type: "FieldValueNotSupported", field: `${at}.manualSelector`, message });
  }
  if (selector) {
    const why = "`selector` will be auto-generated";
    errors.push(invalidValue(`${at}.selector`, selector, why));
  }
  return errors;
}

const count = atLeast(0);
const rules = fields({
  startingDeadlineSeconds: count,
  concurrencyPolicy: oneOf("Allow", "Forbid", "Replace"),
  jobTemplate: template,
  successfulJobsHistoryLimit: count,
  failedJobsHistoryLimit: count,
});

export function cronJobErrors({ object, old, subresource }: Change): Errors {
  if (subresource !== "") return none;
  const { spec = {}, metadata } = object;
  return [
    ...scheduleErrors(spec.schedule, old?.spec?.schedule),
    ...timeZoneErrors(spec.timeZone, old?.spec?.timeZone),
    ...rules(spec, "spec"),
    ...(old ? none : nameErrors(metadata?.name ?? "")),
  ];
}
