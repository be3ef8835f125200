// What a VM must be, beyond its schema. Pure.
import { forbiddenValue, invalidValue, required, supported } from "../../kinds/field-checks.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { runStrategies } from "../machine/run-strategy.ts";
import { dataVolumeErrors } from "./data-volume-rules.ts";
import { instanceErrors } from "./instance-rules.ts";
import type { RuleContext } from "./instance-rules.ts";

function strategyErrors({ running, runStrategy }: any): FieldError[] {
  const set = (value: unknown) => value !== undefined && value !== null;
  if (set(running) && set(runStrategy)) {
    return [
      invalidValue("spec.running", running, "Running and RunStrategy are mutually exclusive"),
    ];
  }
  if (!set(running) && !set(runStrategy)) {
    return [required("spec.running", "One of Running or RunStrategy must be specified")];
  }
  if (runStrategy === "WaitAsReceiver") {
    return [forbiddenValue("spec.runStrategy", "WaitAsReceiver is not supported by VMs of Kerb")];
  }
  return supported("spec.runStrategy", runStrategy ?? undefined, runStrategies);
}

function templateErrors({ dataVolumeTemplates = [], template }: any): FieldError[] {
  const used = new Set(
    (template.spec.volumes ?? []).flatMap((one: any) => [
      one.dataVolume?.name,
      one.persistentVolumeClaim?.claimName,
    ]),
  );
  return dataVolumeTemplates.flatMap((one: any, i: number) => {
    const at = `spec.dataVolumeTemplates[${i}]`;
    const name = one.metadata?.name;
    if (!name)
      return [
        required(
          `${at}.metadata.name`,
          "'name' field must not be empty for DataVolumeTemplate entry",
        ),
      ];
    const lost = used.has(name)
      ? []
      : [
          invalidValue(
            at,
            name,
            `DataVolumeTemplate entry ${at} must be referenced in the VMI template's 'volumes' list`,
          ),
        ];
    return [...lost, ...dataVolumeErrors(one.spec, `${at}.spec`)];
  });
}

function sizingErrors(spec: any): FieldError[] {
  return ["instancetype", "preference"].flatMap((field) => {
    const matcher = spec[field];
    if (!matcher) return [];
    const { name, inferFromVolume, inferFromVolumeFailurePolicy: policy } = matcher;
    if (inferFromVolume && name) {
      const why = "Name should not be specified when inferring it from a volume";
      return [invalidValue(`spec.${field}.name`, name, why)];
    }
    if (!inferFromVolume) return name ? [] : [required(`spec.${field}.name`)];
    const at = `spec.${field}.inferFromVolumeFailurePolicy`;
    return supported(at, policy, ["Ignore", "Reject"]);
  });
}

export function machineErrors({ spec }: any, context: RuleContext): FieldError[] {
  const { template, updateVolumesStrategy } = spec;
  if (!template?.spec) return [required("spec.template.spec")];
  return [
    ...strategyErrors(spec),
    ...sizingErrors(spec),
    ...templateErrors(spec),
    ...(updateVolumesStrategy === "Migration"
      ? [forbiddenValue("spec.updateVolumesStrategy", "Migration is not supported by VMs of Kerb")]
      : supported("spec.updateVolumesStrategy", updateVolumesStrategy, ["Replacement"])),
    ...instanceErrors(template.spec, "spec.template.spec", context),
  ];
}
