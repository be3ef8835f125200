// What the schema cannot say of webhook configurations (pkg/apis/admissionregistration/validation).
import { invalidValue } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsSubdomain, serviceName } from "../name-rules.ts";
import {
  all,
  always,
  each,
  fields,
  holds,
  needed,
  none,
  oneOf,
  present,
  unique,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { selectorErrors } from "../selector-validation.ts";
import { clientErrors } from "./client-config.ts";
import {
  failurePolicy,
  matchConditions,
  matchPolicy,
  operationRule,
  reinvocationPolicy,
} from "./rule-validation.ts";

const segmentsMin = 3;

const name: Rule = (text: string, at) => {
  const reasons = dnsSubdomain(text);
  if (reasons.length > 0) return [invalidValue(at, text, reasons.join(","))];
  if (text.split(".").length >= segmentsMin) return none;
  const why = "should be a domain with at least three segments separated by dots";
  return [invalidValue(at, text, why)];
};

const accepted = ["v1", "v1beta1"];
const versionsWhy = `must include at least one of ${accepted.join(", ")}`;

const versions: Rule = (list: string[], at) => [
  ...list.flatMap((version, i) => {
    const reasons = list.indexOf(version) < i ? ["duplicate version"] : serviceName(version);
    return reasons.map((why) => invalidValue(`${at}[${i}]`, version, why));
  }),
  ...(accepted.some((one) => list.includes(one)) ? none : [invalidValue(at, list, versionsWhy)]),
];

const timeoutWhy = "the timeout value must be between 1 and 30 seconds";

const webhook = fields({
  name: needed(name),
  rules: each(operationRule),
  failurePolicy,
  matchPolicy,
  sideEffects: present(oneOf("None", "NoneOnDryRun"), "must specify one of None, NoneOnDryRun"),
  timeoutSeconds: holds((seconds) => seconds >= 1 && seconds <= 30, timeoutWhy),
  namespaceSelector: selectorErrors,
  objectSelector: selectorErrors,
  reinvocationPolicy,
  clientConfig: always(clientErrors),
  matchConditions,
  admissionReviewVersions: needed(versions, `must specify one of ${accepted.join(", ")}`),
});

const configuration = fields({
  webhooks: all(
    each(webhook),
    unique((one) => one.name, ".name"),
  ),
});

export const webhookConfigurationErrors = ({ object }: Change): Errors => configuration(object, "");
