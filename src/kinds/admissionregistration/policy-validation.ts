// What the schema cannot say of admission policies and their bindings (pkg/apis/admissionregistration/validation).
import { forbiddenValue, invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsSubdomain, pathSegment, qualifiedName, serviceName } from "../name-rules.ts";
import {
  all,
  always,
  each,
  fields,
  given,
  named,
  needed,
  none,
  oneOf,
  present,
  unique,
  written,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { selectorErrors } from "../selector-validation.ts";
import {
  failurePolicy,
  matchConditions,
  matchResources,
  message,
  reinvocationPolicy,
  someOf,
} from "./rule-validation.ts";

/** A group and a version, each told by itself. */
const apiVersion: Rule = (text: string, at) => {
  const parts = text === "/" ? [""] : text.split("/");
  if (parts.length > 2) return [invalidValue(at, text, `unexpected GroupVersion string: ${text}`)];
  const [version = "", group = ""] = parts.toReversed();
  const wrong = (value: string, reasons: readonly string[]) =>
    reasons.length === 0 ? none : [invalidValue(at, value, reasons.join(","))];
  return [
    ...(group === "" ? none : wrong(group, dnsSubdomain(group))),
    ...(version === ""
      ? [invalidValue(at, text, "version must be specified")]
      : wrong(version, serviceName(version))),
  ];
};

const kind: Rule = (text: string, at) => {
  const reasons = serviceName(text.toLowerCase());
  if (reasons.length === 0) return none;
  const why = `may have mixed case, but should otherwise match: ${reasons.join(",")}`;
  return [invalidValue(at, text, why)];
};

const paramKind = fields({ apiVersion: needed(apiVersion), kind: needed(kind) });

const reserved = new Set(
  (
    "true false null in as break const continue else for function if import let loop package namespace return var " +
    "void while"
  ).split(" "),
);

const variableName: Rule = (text: string, at) =>
  /^[_a-zA-Z][_a-zA-Z0-9]*$/.test(text) && !reserved.has(text)
    ? none
    : [invalidValue(at, text, "must be a valid CEL identifier")];

const nameWhy = "name is not specified";
const expressionWhy = "expression is not specified";

const variable = fields({
  name: all(
    written(nameWhy),
    given((text, at) => (text.trim() ? variableName(text, at) : none)),
  ),
  expression: written(expressionWhy),
});

/** What policies of both sorts have. */
const policyRules = {
  failurePolicy: present(failurePolicy),
  paramKind,
  matchConstraints: present(all(matchResources, fields({ resourceRules: needed() }))),
  matchConditions,
  variables: each(variable),
};

const validation = fields({
  expression: written(expressionWhy),
  messageExpression: (text, at) =>
    text !== "" && text.trim() === ""
      ? [invalidValue(at, text, "must be non-empty if specified")]
      : none,
  message,
  reason: oneOf("Forbidden", "Invalid", "RequestEntityTooLarge"),
});

const annotationsMax = 20;
const annotationCharsMax = 5 * 1024;

/** Keys are shown in the audit log behind the policy's name. */
const annotationsOf = (policy: string): Rule => {
  const annotation = fields({
    key: always((key: any, at) =>
      named(qualifiedName)(`${policy}/${typeof key === "string" ? key : ""}`, at),
    ),
    valueExpression: all(
      written("valueExpression is not specified"),
      given((text: string, at) =>
        text.trim().length > annotationCharsMax
          ? [required(at, `must not exceed ${annotationCharsMax} bytes in length`)]
          : none,
      ),
    ),
  });
  const why = `must not have more than ${annotationsMax} auditAnnotations`;
  return all(
    (list, at) => (list.length > annotationsMax ? [invalidValue(at, list, why)] : none),
    each(annotation),
    unique(({ key }) => key, ".key"),
  );
};

const outcomes = someOf(
  ["validations", "auditAnnotations"],
  "validations or auditAnnotations must contain at least one item",
);

export function validatingPolicyErrors({ object }: Change): Errors {
  const auditAnnotations = annotationsOf(object.metadata.name);
  const spec = fields({ ...policyRules, validations: each(validation), auditAnnotations });
  return all(spec, outcomes)(object.spec, "spec");
}

const mutatingOperations = ["*", "CONNECT", "CREATE", "UPDATE"];

/** Told at no rule in particular, as upstream does. */
const operationErrors: Rule = ({ resourceRules = [] }, at) =>
  resourceRules.flatMap(({ operations = [] }: any) =>
    operations.flatMap((one: string) =>
      supported(`${at}.resourceRules.operations`, one, mutatingOperations),
    ),
  );

const patches = { ApplyConfiguration: "applyConfiguration", JSONPatch: "jsonPatch" };
const expressionOf = fields({ expression: written() });

const mutation: Rule = (one, at) => {
  const type = one.patchType ?? "";
  if (type === "") return [required(`${at}.patchType`)];
  const own = patches[type as keyof typeof patches];
  if (!own) return supported(`${at}.patchType`, type, Object.keys(patches));
  const other = own === "jsonPatch" ? "applyConfiguration" : "jsonPatch";
  const why = `must not be specified when patchType is ${type}`;
  return [
    ...(one[own]
      ? expressionOf(one[own], `${at}.${own}`)
      : [required(`${at}.${own}`, `must be specified when patchType is ${type}`)]),
    ...(one[other] ? [invalidValue(`${at}.${other}`, `{${other}}`, why)] : none),
  ];
};

const mutatingSpec = fields({
  ...policyRules,
  matchConstraints: all(policyRules.matchConstraints, given(operationErrors)),
  mutations: needed(each(mutation), "mutations must contain at least one item"),
  reinvocationPolicy: needed(reinvocationPolicy),
});

export const mutatingPolicyErrors = ({ object }: Change): Errors =>
  mutatingSpec(object.spec, "spec");

const exclusiveWhy = "name and selector are mutually exclusive";

const paramRef: Rule = (ref, at) => {
  const { name = "", selector } = ref;
  const both = name !== "" && selector !== undefined;
  const neither = name === "" && selector === undefined;
  const tell = (field: string) => forbiddenValue(`${at}.${field}`, exclusiveWhy);
  return [
    ...(name === "" ? none : named(pathSegment)(name, `${at}.name`)),
    ...selectorErrors(selector, `${at}.selector`),
    ...(both ? [tell("name"), tell("selector")] : none),
    ...(neither ? [required(at, "one of name or selector must be specified")] : none),
    ...needed(oneOf("Deny", "Allow"))(ref.parameterNotFoundAction, `${at}.parameterNotFoundAction`),
  ];
};

const bindingRules = {
  policyName: needed(named(dnsSubdomain)),
  paramRef,
  matchResources,
};

const bothWhy =
  "must not contain both Deny and Warn (repeating the same validation failure information in the API response and " +
  "headers serves no purpose)";

const actions: Rule = (list: string[], at) => [
  ...each(oneOf("Audit", "Deny", "Warn"))(list, at),
  ...unique()(list, at),
  ...(list.includes("Deny") && list.includes("Warn") ? [invalidValue(at, list, bothWhy)] : none),
];

const validatingBinding = fields({
  ...bindingRules,
  validationActions: needed(actions, "at least one validation action is required"),
});
const mutatingBinding = fields({
  ...bindingRules,
  matchResources: all(matchResources, operationErrors),
});

export const validatingBindingErrors = ({ object }: Change): Errors =>
  validatingBinding(object.spec, "spec");
export const mutatingBindingErrors = ({ object }: Change): Errors =>
  mutatingBinding(object.spec, "spec");
