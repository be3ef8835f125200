// ResourceQuotas and LimitRanges: which resources they may name, and bounds that do not contradict each other.
import type { FieldError } from "../../lib/status-error.ts";
import { duplicate, invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { amount } from "./resource-validation.ts";

const counted =
  "pods resourcequotas services replicationcontrollers secrets persistentvolumeclaims configmaps services.nodeports " +
  "services.loadbalancers requests.storage";
const computed = ["cpu", "memory", "ephemeral-storage"];
const standard = new Set([
  ...counted.split(" "),
  ...computed.flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
]);
const isQuotaName = (name: string) =>
  standard.has(name) || name.includes("/") || /^(requests\.)?hugepages-./.test(name);

const scopes = [
  "BestEffort",
  "CrossNamespacePodAffinity",
  "NotBestEffort",
  "NotTerminating",
  "PriorityClass",
  "Terminating",
  "VolumeAttributesClass",
];

export function quotaErrors({ object: { spec }, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  const hard = Object.entries<any>(spec?.hard ?? {}).flatMap(([name, text]) => {
    const field = `spec.hard[${name}]`;
    const errors = isQuotaName(name)
      ? []
      : [invalidValue(field, name, "must be a standard resource for quota")];
    if ((amount(text) ?? 0) < 0) {
      errors.push(invalidValue(field, text, "must be greater than or equal to 0"));
    }
    return errors;
  });
  const unknown = (spec?.scopes ?? []).filter((one: string) => !scopes.includes(one));
  return unknown.length > 0
    ? [...hard, invalidValue("spec.scopes", spec.scopes, "unsupported scope")]
    : hard;
}

/** Each pair: what may not be greater than what. */
const orders: [lower: string, upper: string][] = [
  ["min", "max"],
  ["min", "defaultRequest"],
  ["min", "default"],
  ["defaultRequest", "default"],
  ["defaultRequest", "max"],
  ["default", "max"],
];

function limitErrors(limit: any, at: string): FieldError[] {
  return orders.flatMap(([lower, upper]) =>
    Object.entries<any>(limit[lower] ?? {}).flatMap(([name, low]) => {
      const high = limit[upper]?.[name];
      if (high === undefined || (amount(low) ?? 0) <= (amount(high) ?? 0)) return [];
      const words = (list: string) => (list === "defaultRequest" ? "default request" : list);
      const why = `${words(lower)} value ${low} is greater than ${words(upper)} value ${high}`;
      return [invalidValue(`${at}.${lower}[${name}]`, low, why)];
    }),
  );
}

export function limitRangeErrors({ object: { spec } }: Change): FieldError[] {
  const limits: any[] = spec?.limits ?? [];
  return limits.flatMap((limit, i) => {
    const field = `spec.limits[${i}]`;
    if (!limit.type) return [required(`${field}.type`)];
    const errors = supported(`${field}.type`, limit.type, [
      "Container",
      "PersistentVolumeClaim",
      "Pod",
    ]);
    if (limits.findIndex(({ type }) => type === limit.type) < i) {
      errors.push(duplicate(`${field}.type`, limit.type));
    }
    return [...errors, ...limitErrors(limit, field)];
  });
}
