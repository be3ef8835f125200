// What may be told of objects of many kinds, where it is more than their schema says.
import { isAddress } from "../../lib/ip-range.ts";
import { addressRule } from "../address-rules.ts";
import { conditionsRule } from "../condition-rules.ts";
import { amount } from "../core/resource-validation.ts";
import { quotaAmountErrors } from "../core/limits-validation.ts";
import { forbiddenValue, invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsSubdomain, qualifiedName } from "../name-rules.ts";
import {
  all,
  atLeast,
  between,
  each,
  eachValue,
  fields,
  named,
  needed,
  none,
  oneOf,
  unique,
  written,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

const judged =
  (rule: Rule) =>
  ({ object }: Change): Errors =>
    rule(object.status ?? {}, "status");

const count = atLeast(0);

export const autoscalerStatusErrors = judged(
  fields({ currentReplicas: count, desiredReplicas: count }),
);

export const disruptionBudgetStatusErrors = judged(
  fields({
    conditions: conditionsRule,
    disruptionsAllowed: count,
    currentHealthy: count,
    desiredHealthy: count,
    expectedPods: count,
  }),
);

export const attachmentStatusErrors = judged(
  fields({ attachError: fields({ errorCode: between(0, 2 ** 31 - 1) }) }),
);

const hostName: Rule = (text: string, at) => {
  if (text === "") return none;
  const why = "must be a DNS name, not an IP address";
  return [
    ...named(dnsSubdomain)(text, at),
    ...(isAddress(text) ? [invalidValue(at, text, why)] : none),
  ];
};

/** Addresses that were there before are left alone. */
const entryPoints = (old: any): Rule => {
  const known = new Set((old?.status?.loadBalancer?.ingress ?? []).map(({ ip }: any) => ip));
  const address: Rule = (text, at) =>
    text === "" || known.has(text) ? none : addressRule(text, at);
  return each(fields({ ip: address, hostname: hostName }));
};

const modeErrors: Rule = ({ ip = "", ipMode }, at) => {
  const field = `${at}.ipMode`;
  if (ipMode === undefined) return none;
  if (ip === "") return [forbiddenValue(field, "may not be specified when `ip` is not set")];
  return supported(field, ipMode, ["Proxy", "VIP"]);
};

export const ingressStatusErrors = ({ object, old }: Change): Errors =>
  fields({ loadBalancer: fields({ ingress: entryPoints(old) }) })(object.status ?? {}, "status");

const balancedWhy = "may only be used when `spec.type` is 'LoadBalancer'";

export function serviceStatusErrors({ object, old }: Change): Errors {
  const { spec, status = {} } = object;
  const ingress: Rule = (list: any[], at) => {
    if (list.length === 0) return none;
    if (spec.type !== "LoadBalancer") return [forbiddenValue(at, balancedWhy)];
    return all(entryPoints(old), each(modeErrors))(list, at);
  };
  return fields({ loadBalancer: fields({ ingress }) })(status, "status");
}

const resizes = [
  "ControllerResizeInProgress",
  "ControllerResizeInfeasible",
  "NodeResizeInProgress",
  "NodeResizeInfeasible",
  "NodeResizePending",
].toSorted();

/** What is wrong with one is told at all of them. */
const resizeStatuses: Rule = (map: Record<string, string>, at) =>
  Object.entries(map).flatMap(([name, value]) => [
    ...claimResource(name, at),
    ...(resizes.includes(value) ? none : supported(at, name, resizes)),
  ]);

function claimResource(name: string, at: string): Errors {
  const reasons = named(qualifiedName)(name, at);
  if (reasons.length > 0 || name === "storage") return reasons;
  const [domain = "", rest] = name.split("/");
  const isOwn =
    rest !== undefined && !domain.endsWith("kubernetes.io") && !domain.endsWith("k8s.io");
  return isOwn
    ? none
    : [invalidValue(at, name, "must be a storage resource or have a domain of its own")];
}

const validQuantity: Rule = (text, at) =>
  (amount(text) ?? 0) < 0 ? [invalidValue(at, text, "must be a valid resource quantity")] : none;

const allocated: Rule = (map: Record<string, string>, at) =>
  Object.entries(map).flatMap(([name, text]) => {
    const errors = claimResource(name, at);
    return errors.length > 0 ? errors : validQuantity(text, `${at}[${name}]`);
  });

export const claimStatusErrors = judged(
  fields({
    capacity: eachValue(validQuantity),
    allocatedResourceStatuses: resizeStatuses,
    allocatedResources: allocated,
  }),
);

const quotaAmounts: Rule = (map: Record<string, string>, at) =>
  Object.entries(map).flatMap(([name, text]) => quotaAmountErrors(name, text, `${at}[${name}]`));

export const quotaStatusErrors = judged(fields({ hard: quotaAmounts, used: quotaAmounts }));

/** By whether it is being deleted; told by the name that upstream has for the field. */
export function namespaceStatusErrors({ object }: Change): Errors {
  const { status = {}, metadata } = object;
  const { phase = "" } = status;
  const at = "status.Phase";
  if (metadata.deletionTimestamp) {
    const why = "may only be 'Terminating' if `deletionTimestamp` is not empty";
    return phase === "Terminating" ? none : [invalidValue(at, phase, why)];
  }
  const why = "may only be 'Active' if `deletionTimestamp` is empty";
  return phase === "Active" ? none : [invalidValue(at, phase, why)];
}

const path: Rule = (text: string, at) => {
  const said = text.trim();
  if (said === "") return none;
  const why = "invalid JSONPath";
  return /^[A-Za-z_.][\w.[\]'"*$@?()&|<>=! -]*$/.test(said) ? none : [invalidValue(at, said, why)];
};

export const policyStatusErrors = judged(
  fields({
    conditions: conditionsRule,
    typeChecking: fields({
      expressionWarnings: each(
        fields({ warning: needed(), fieldRef: all(written(), (text, at) => path(text ?? "", at)) }),
      ),
    }),
  }),
);

const certificateTypes = new Set(["Approved", "Denied", "Failed"]);
const isPem = (text: string) =>
  Buffer.from(text, "base64").toString().includes("-----BEGIN CERTIFICATE-----");

/** A request is approved, denied or failed, and that is true; others may say what they like. */
const certificateConditions: Rule = (list: any[], at) => [
  ...list.flatMap(({ type = "", status = "" }, i): Errors => {
    const field = `${at}[${i}]`;
    const known = certificateTypes.has(type) ? ["True"] : ["False", "True", "Unknown"];
    return [
      ...(type === "" ? [required(`${field}.type`)] : none),
      ...(status === ""
        ? [required(`${field}.status`)]
        : oneOf(...known)(status, `${field}.status`)),
    ];
  }),
  ...unique((one: any) => one.type, ".type")(list, at),
];

const certificate: Rule = (text: string, at) =>
  text === "" || isPem(text)
    ? none
    : [invalidValue(at, "<certificate data>", "must contain at least one CERTIFICATE PEM block")];

export const certificateStatusErrors = judged(
  fields({ conditions: certificateConditions, certificate }),
);
