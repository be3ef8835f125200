// The scopes of ResourceQuotas: which there are, what they go with, and which contradict each other.
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue, required } from "../field-checks.ts";

const ofPods = ["pods", "cpu", "memory"].concat(
  ...["cpu", "memory"].map((name) => [`requests.${name}`, `limits.${name}`]),
);
/** By scope, the standard resources that it can narrow. */
const narrowed: Record<string, string[]> = {
  BestEffort: ["pods"],
  CrossNamespacePodAffinity: ofPods,
  NotBestEffort: ofPods,
  NotTerminating: ofPods,
  PriorityClass: ofPods,
  Terminating: ofPods,
  VolumeAttributesClass: ["persistentvolumeclaims", "requests.storage"],
};
const hasValues = ["PriorityClass", "VolumeAttributesClass"];
const pairs: [string, string][] = [
  ["BestEffort", "NotBestEffort"],
  ["Terminating", "NotTerminating"],
];

const conflicts = (given: string[], field: string): FieldError[] =>
  pairs
    .filter((pair) => pair.every((one) => given.includes(one)))
    .map(() => invalidValue(field, given, "conflicting scopes"));

function scopeErrors(given: string[], hard: string[]): FieldError[] {
  const field = "spec.scopes";
  const errors = given.flatMap((scope) => {
    const fitting = narrowed[scope];
    if (!fitting) return [invalidValue(field, given, "unsupported scope")];
    return hard
      .filter((name) => !fitting.includes(name))
      .map(() => invalidValue(field, given, "unsupported scope applied to resource"));
  });
  return [...errors, ...conflicts(given, field)];
}

function valueErrors({ operator = "", values = [] }: any, at: string): FieldError[] {
  if (operator === "In" || operator === "NotIn") {
    const why = "must be at least one value when `operator` is 'In' or 'NotIn' for scope selector";
    return values.length > 0 ? [] : [required(`${at}.values`, why)];
  }
  if (operator === "Exists" || operator === "DoesNotExist") {
    const why = "must be no value when `operator` is 'Exist' or 'DoesNotExist' for scope selector";
    return values.length > 0 ? [invalidValue(`${at}.values`, values, why)] : [];
  }
  return [invalidValue(`${at}.operator`, operator, "not a valid selector operator")];
}

function selectorErrors(list: any[], hard: string[]): FieldError[] {
  const at = "spec.scopeSelector.matchExpressions";
  const errors = list.flatMap((one) => {
    const { scopeName: scope = "", operator = "" } = one;
    const fitting = narrowed[scope];
    if (!fitting) {
      const unknown = invalidValue(`${at}.scopeName`, scope, "unsupported scope");
      return [unknown, ...valueErrors(one, at)];
    }
    const found = hard
      .filter((name) => !fitting.includes(name))
      .map(() => invalidValue(at, list, "unsupported scope applied to resource"));
    if (!hasValues.includes(scope) && operator !== "Exists") {
      const why = `must be 'Exists' when scope is ${scope}`;
      found.push(invalidValue(`${at}.operator`, operator, why));
    }
    return [...found, ...valueErrors(one, at)];
  });
  const given = list.map(({ scopeName }) => scopeName);
  return [...errors, ...conflicts(given, at)];
}

/** `hard` are the standard resources that it limits. */
export const quotaScopeErrors = (spec: any, hard: string[]): FieldError[] => [
  ...scopeErrors(spec?.scopes ?? [], hard),
  ...selectorErrors(spec?.scopeSelector?.matchExpressions ?? [], hard),
];
