// ResourceQuotas and LimitRanges: which resources they may name, and bounds that do not contradict each other.
import { semanticEqual } from "../semantic-equal.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { duplicate, forbiddenValue, invalidValue, required } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { qualifiedName } from "../name-rules.ts";
import {
  amount,
  containerResourceErrors,
  integerErrors,
  isExclusive,
  isExtended,
  resourceNameErrors,
} from "./resource-validation.ts";
import { named } from "../rules.ts";
import type { Errors } from "../rules.ts";
import { quotaScopeErrors } from "./scopes-validation.ts";

const counted =
  "pods resourcequotas services replicationcontrollers secrets persistentvolumeclaims configmaps services.nodeports " +
  "services.loadbalancers requests.storage";
const computed = ["cpu", "memory", "ephemeral-storage"];
const standard = new Set([
  ...counted.split(" "),
  ...computed.flatMap((name) => [name, `requests.${name}`, `limits.${name}`]),
]);
const isCounted = (name: string) =>
  name !== "requests.storage" && counted.split(" ").includes(name);
const isStandardQuotaName = (name: string) =>
  standard.has(name) || /^(requests\.)?hugepages-/.test(name);
const isQuotaName = (name: string) => isStandardQuotaName(name) || name.includes("/");

/** So much of one thing. */
export function quotaAmountErrors(name: string, text: string, field: string): FieldError[] {
  const errors: FieldError[] = [...named(qualifiedName)(name, field)];
  if (errors.length === 0 && !isQuotaName(name)) {
    errors.push(invalidValue(field, name, "must be a standard resource for quota"));
  }
  const value = amount(text) ?? 0;
  if (value < 0) errors.push(invalidValue(field, text, "must be greater than or equal to 0"));
  if (isCounted(name) || isExtended(name)) errors.push(...integerErrors(text, field));
  return errors;
}

export function quotaErrors({ object: { spec }, old, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  const hard = Object.entries<any>(spec?.hard ?? {}).flatMap(([name, text]) =>
    quotaAmountErrors(name, text, `spec.hard[${name}]`),
  );
  const limited = Object.keys(spec?.hard ?? {}).filter(isStandardQuotaName);
  const isKept = !old || semanticEqual(old.spec?.scopes, spec?.scopes);
  return [
    ...hard,
    ...quotaScopeErrors(spec, limited),
    ...(isKept ? [] : [invalidValue("spec.scopes", spec?.scopes ?? null, "field is immutable")]),
  ];
}

/** Each pair: what may not be greater than what, and which of both is blamed. */
const orders: [lower: string, upper: string, blamed: string][] = [
  ["min", "max", "min"],
  ["min", "defaultRequest", "defaultRequest"],
  ["defaultRequest", "max", "defaultRequest"],
  ["defaultRequest", "default", "defaultRequest"],
  ["min", "default", "default"],
  ["default", "max", "default"],
];
const bounds = ["max", "min", "default", "defaultRequest", "maxLimitRequestRatio"];

const wordsOf = (list: string) => (list === "defaultRequest" ? "default request" : list);

const orderErrors = (limit: any, at: string): FieldError[] =>
  orders.flatMap(([lower, upper, blamed]) =>
    Object.entries<any>(limit[lower] ?? {}).flatMap(([name, low]) => {
      const high = limit[upper]?.[name];
      if (high === undefined || (amount(low) ?? 0) <= (amount(high) ?? 0)) return [];
      const why = `${wordsOf(lower)} value ${low} is greater than ${wordsOf(upper)} value ${high}`;
      return [invalidValue(`${at}.${blamed}[${name}]`, limit[blamed][name], why)];
    }),
  );

/** What cannot be promised twice is asked for as it is limited. */
const exclusiveErrors = (limit: any, at: string): FieldError[] =>
  Object.entries<any>(limit.defaultRequest ?? {}).flatMap(([name, asked]) => {
    const most = limit.default?.[name];
    if (!isExclusive(name) || most === undefined || amount(most) === amount(asked)) return [];
    const why = `default value ${most} must equal to defaultRequest value ${asked} in ${name}`;
    return [invalidValue(`${at}.defaultRequest[${name}]`, asked, why)];
  });

function ratioErrors({ min, max, maxLimitRequestRatio }: any, at: string): FieldError[] {
  return Object.entries<any>(maxLimitRequestRatio ?? {}).flatMap(([name, text]) => {
    const ratio = amount(text) ?? 1;
    const wrong = (why: string) => [
      invalidValue(`${at}.maxLimitRequestRatio[${name}]`, text, `ratio ${text} ${why}`),
    ];
    if (ratio < 1) return wrong("is less than 1");
    if (max?.[name] === undefined || min?.[name] === undefined) return [];
    const most = (amount(max?.[name] ?? "") ?? 0) / (amount(min?.[name] ?? "") ?? 0);
    return ratio > most ? wrong(`is greater than max/min = ${most.toFixed(6)}`) : [];
  });
}

/** A type of one's own is written with its domain. */
function typeErrors(type: string, field: string): Errors {
  const reasons = named(qualifiedName)(type, field);
  if (reasons.length > 0) return reasons;
  if (type.includes("/") || ["Container", "PersistentVolumeClaim", "Pod"].includes(type)) return [];
  return [invalidValue(field, type, "must be a standard limit type or fully qualified")];
}

function nameErrors(limit: any, at: string): FieldError[] {
  const isOfPods = limit.type === "Pod" || limit.type === "Container";
  return bounds.flatMap((list) =>
    Object.keys(limit[list] ?? {}).flatMap((name) => {
      const field = `${at}.${list}[${name}]`;
      return isOfPods ? containerResourceErrors(name, field) : resourceNameErrors(name, field);
    }),
  );
}

function limitErrors(limit: any, at: string): FieldError[] {
  const { default: _d, defaultRequest: _r, ...plain } = limit;
  const judged = limit.type === "Pod" ? plain : limit;
  const errors = nameErrors(judged, at);
  for (const list of ["default", "defaultRequest"]) {
    if (judged === limit || Object.keys(limit[list] ?? {}).length === 0) continue;
    errors.push(forbiddenValue(`${at}.${list}`, "may not be specified when `type` is 'Pod'"));
  }
  if (limit.type === "PersistentVolumeClaim" && !limit.min?.storage && !limit.max?.storage) {
    const why = "either minimum or maximum storage value is required, but neither was provided";
    errors.push(required(`${at}.limits`, why));
  }
  return [
    ...errors,
    ...orderErrors(judged, at),
    ...ratioErrors(judged, at),
    ...exclusiveErrors(judged, at),
  ];
}

export function limitRangeErrors({ object: { spec } }: Change): FieldError[] {
  const limits: any[] = spec?.limits ?? [];
  return limits.flatMap((limit, i) => {
    const field = `spec.limits[${i}]`;
    const { type = "" } = limit;
    const errors = [...typeErrors(type, `${field}.type`)];
    if (limits.findIndex((one) => (one.type ?? "") === type) < i) {
      errors.push(duplicate(`${field}.type`, type));
    }
    return [...errors, ...limitErrors(limit, field)];
  });
}
