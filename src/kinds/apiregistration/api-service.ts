// What the schema cannot say of APIServices.
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue, nameErrors, required } from "../field-checks.ts";
import { dnsSubdomain } from "../name-rules.ts";
import type { Change } from "../kind.ts";
import type { Draft, KubeObject } from "../object.ts";

export const apiServiceDefaults = ({ spec }: Draft) => {
  if (spec?.service) spec.service.port ??= 443;
};

export const localVerdict = {
  status: "True",
  reason: "Local",
  message: "Local APIServices are always available",
} as const;

/** What this server serves itself can be asked from the first moment. */
export function localAvailability(object: KubeObject) {
  if (object.spec?.service) return;
  const condition = {
    type: "Available",
    ...localVerdict,
    lastTransitionTime: object.metadata.creationTimestamp,
  };
  object.status = { conditions: [condition] };
}

function rangeErrors(field: string, value: unknown, max: number): FieldError[] {
  if (typeof value === "number" && value > 0 && value <= max) return [];
  return [invalidValue(field, value ?? 0, `must be positive and less than ${max}`)];
}

function serviceErrors(spec: any): FieldError[] {
  if (!spec.service) return [];
  const { namespace, name, port } = spec.service;
  const errors: FieldError[] = [];
  if (!namespace) errors.push(required("spec.service.namespace"));
  if (!name) errors.push(required("spec.service.name"));
  if (port < 1 || port > 65535) {
    errors.push(
      invalidValue(
        "spec.service.port",
        port,
        "port is not valid: must be between 1 and 65535, inclusive",
      ),
    );
  }
  if (spec.insecureSkipTLSVerify && spec.caBundle) {
    const field = "spec.insecureSkipTLSVerify";
    errors.push(invalidValue(field, true, "may not be true if caBundle is present"));
  }
  return errors;
}

export function apiServiceErrors({ object, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  const { spec = {} } = object;
  const { group = "", version = "" } = spec;
  const errors: FieldError[] = [];
  const wanted = `${version}.${group}`;
  if (object.metadata.name !== wanted) {
    const why = `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(wanted)}`;
    errors.push(invalidValue("metadata.name", object.metadata.name, why));
  }
  if (group !== "") errors.push(...nameErrors(dnsSubdomain, group, "spec.group"));
  if (group === "" && version !== "v1") {
    errors.push(
      required("spec.group", "only v1 may have an empty group and it better be legacy kube"),
    );
  }
  if (version === "") errors.push(required("spec.version"));
  errors.push(...rangeErrors("spec.groupPriorityMinimum", spec.groupPriorityMinimum, 20_000));
  errors.push(...rangeErrors("spec.versionPriority", spec.versionPriority, 1000));
  if (!spec.service && spec.caBundle) {
    const why = "local APIServices may not have a caBundle";
    errors.push(invalidValue("spec.caBundle", spec.caBundle, why));
  }
  if (!spec.service && spec.insecureSkipTLSVerify) {
    const why = "local APIServices may not have insecureSkipTLSVerify";
    errors.push(invalidValue("spec.insecureSkipTLSVerify", true, why));
  }
  return [...errors, ...serviceErrors(spec)];
}
