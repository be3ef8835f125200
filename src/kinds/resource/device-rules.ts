// What claims, classes and slices of devices have alike (pkg/apis/resource/validation).
import { parseQuantity } from "../../lib/quantity.ts";
import { driverName as csiDriverName } from "../core/volume-sources.ts";
import { invalidValue, required } from "../field-checks.ts";
import { dnsLabel, dnsSubdomain, labelValue, qualifiedName } from "../name-rules.ts";
import {
  atMost,
  each,
  fields,
  given,
  holds,
  named,
  needed,
  none,
  oneOf,
  orEmpty,
  present,
  tooLong,
  unique,
  all,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

export const driverName = csiDriverName;
export const deviceName = orEmpty(named(dnsLabel));

const poolCharsMax = 253;
export const poolName = needed((text: string, at) => [
  ...(text.length > poolCharsMax ? [tooLong(at, poolCharsMax)] : none),
  ...text.split("/").flatMap((part) => named(dnsSubdomain)(part, at)),
]);

const identifierCharsMax = 32;
const identifierWhy =
  "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or " +
  "'_' (e.g. 'my_name',  or 'MY_NAME',  or 'MyName', regex used for validation is '[A-Za-z_][A-Za-z0-9_]*')";
const identifier: Rule = (text: string, at) => [
  ...(text.length > identifierCharsMax ? [tooLong(at, identifierCharsMax)] : none),
  ...(/^[A-Za-z_][A-Za-z0-9_]*$/.test(text) ? none : [invalidValue(at, text, identifierWhy)]),
];

/** Of an attribute or a capacity; more than one slash is let pass, as upstream does. */
export const attributeName: Rule = (text: string, at) => {
  const parts = text.split("/");
  if (parts.length === 1) return identifier(text, at);
  if (parts.length > 2) return none;
  const [domain = "", name = ""] = parts;
  return [
    ...(domain === ""
      ? [invalidValue(at, "", "the domain must not be empty")]
      : driverName(domain, at)),
    ...(name === "" ? [invalidValue(at, "", "the name must not be empty")] : identifier(name, at)),
  ];
};

const domainWhy = "a fully qualified name must be a domain and a name separated by a slash";
export const wholeAttributeName: Rule = (text: string, at) => [
  ...attributeName(text, at),
  ...(text.includes("/") ? none : [invalidValue(at, text, domainWhy)]),
];

const selectorsMax = 32;
const expressionCharsMax = 10 * 1024;

/** What an expression says is judged where CEL is. */
const selector = fields({
  cel: present(
    fields({
      expression: (text: string, at) =>
        text.length > expressionCharsMax ? [tooLong(at, expressionCharsMax)] : none,
    }),
  ),
});
export const selectors = atMost(selectorsMax, each(selector));

export const configurationsMax = 32;
const parameterCharsMax = 10 * 1024;

/** JSON that others understand. */
export const rawObject =
  (charsMax: number): Rule =>
  (value, at) => {
    if (value === undefined || value === null) return [required(at)];
    if (JSON.stringify(value).length > charsMax) return [tooLong(at, charsMax)];
    if (typeof value === "object" && !Array.isArray(value)) return none;
    return [invalidValue(at, "<value omitted>", "must be a valid JSON object")];
  };

const parameters = rawObject(parameterCharsMax);
export const configuration = fields({
  opaque: present((one, at) => [
    ...driverName(one.driver, `${at}.driver`),
    ...parameters(one.parameters, `${at}.parameters`),
  ]),
});

export const taintEffect = oneOf("NoExecute", "NoSchedule", "None");
const label = named(qualifiedName);

export const taint = fields({
  key: orEmpty(label),
  value: given(named(labelValue)),
  effect: needed(taintEffect),
});

const operators = oneOf("Equal", "Exists");
export const toleration: Rule = (one, at) => {
  const { key = "", operator = "", value = "", effect = "" } = one;
  const ofValue = (): Errors => {
    if (operator === "Equal") return named(labelValue)(value, `${at}.value`);
    if (operator !== "Exists" || value === "") return none;
    return [invalidValue(`${at}.value`, value, "must be empty for operator `Exists`")];
  };
  return [
    ...(key === "" ? none : label(key, `${at}.key`)),
    ...needed(operators)(operator, `${at}.operator`),
    ...ofValue(),
    ...(effect === "" ? none : taintEffect(effect, `${at}.effect`)),
  ];
};

const bindingConditionsMax = 4;
const conditions = atMost(bindingConditionsMax, each(label));
const overlapWhy = "bindingFailureConditions must not overlap with bindingConditions";

/** What has to come true before a pod is bound to a device, and what says that it never will. */
export const bindingConditions: Rule = (one, at) => {
  const { bindingConditions: good = [], bindingFailureConditions: bad = [] } = one;
  if (good.length + bad.length === 0) return none;
  const [first, second] = [`${at}.bindingConditions`, `${at}.bindingFailureConditions`];
  const alone = (field: string, list: string[], mine: string, others: string) =>
    list.length > 0 ? none : [invalidValue(field, list, `${mine} are required to use ${others}`)];
  return [
    ...all(conditions, unique())(good, first),
    ...all(conditions, unique())(bad, second),
    ...bad.flatMap((text: string, i: number) =>
      good.includes(text) ? [invalidValue(`${second}[${i}]`, text, overlapWhy)] : none,
    ),
    ...alone(first, good, "bindingConditions", "bindingFailureConditions"),
    ...alone(second, bad, "bindingFailureConditions", "bindingConditions"),
  ];
};

export const isTrueOrAbsent = holds(
  (value) => value === true,
  "must be either unset or set to true",
);

export const valueOf = (quantity: string | number) => parseQuantity(quantity);
