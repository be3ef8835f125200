// What a DataImportCron and a DataSource must be, beyond their schemas. Pure.
import { parseSchedule } from "../../lib/cron-schedule.ts";
import { forbiddenValue, invalidValue, required, supported } from "../../kinds/field-checks.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { dataVolumeErrors } from "./data-volume-rules.ts";

const no = "this is not supported by DataImportCrons of Kerb";

function scheduleErrors(schedule: unknown): FieldError[] {
  if (schedule === undefined) return [required("spec.schedule")];
  if (schedule === "") return [];
  try {
    parseSchedule(String(schedule), "UTC", 0);
    return [];
  } catch (error) {
    const why = `Illegal cron schedule: ${(error as Error).message}`;
    return [invalidValue("spec.schedule", schedule, why)];
  }
}

function templateErrors(template: any): FieldError[] {
  const at = "spec.template.spec";
  if (!template?.spec) return [required(at)];
  const errors = dataVolumeErrors(template.spec, at);
  const kinds = Object.keys(template.spec.source ?? {});
  if (template.spec.sourceRef) errors.push(forbiddenValue(`${at}.sourceRef`, no));
  const strange = kinds.filter((kind) => kind !== "registry");
  return [...errors, ...strange.map((kind) => forbiddenValue(`${at}.source.${kind}`, no))];
}

export function importCronErrors(spec: any): FieldError[] {
  const { schedule, template, managedDataSource, importsToKeep } = spec;
  return [
    ...(managedDataSource ? [] : [required("spec.managedDataSource")]),
    ...scheduleErrors(schedule),
    ...templateErrors(template),
    ...supported("spec.garbageCollect", spec.garbageCollect, ["Outdated", "Never"]),
    ...supported("spec.retentionPolicy", spec.retentionPolicy, ["All", "None"]),
    ...(importsToKeep !== undefined && importsToKeep < 1
      ? [invalidValue("spec.importsToKeep", importsToKeep, "must be 1 or more")]
      : []),
    ...(spec.serviceAccountName ? [forbiddenValue("spec.serviceAccountName", no)] : []),
  ];
}

export function dataSourceErrors({ source = {} }: any): FieldError[] {
  const given = Object.keys(source).filter((kind) => source[kind]);
  const errors = given.includes("snapshot")
    ? [forbiddenValue("spec.source.snapshot", "this is not supported by DataSources of Kerb")]
    : [];
  if (given.length < 2) return errors;
  return [...errors, invalidValue("spec.source", given.length, "only one source may be set")];
}
