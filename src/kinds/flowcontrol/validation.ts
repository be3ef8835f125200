// What the flowcontrol group checks beyond its schemas, in upstream's words.
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenValue, invalidValue, nameErrors, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsSubdomain } from "../name-rules.ts";

const precedenceMax = 10_000;
const queuesMax = 10_000_000;
const entropyBitsMax = 60;

const resourceVerbs = "get list watch create update patch delete deletecollection proxy *".split(
  " ",
);
const pathVerbs = "get head post put patch delete options connect *".split(" ");

const isPositive = (value: number) => value > 0;

/** A list that names something, and nothing beside an asterisk. */
function list(at: string, values: string[] = [], what: string): FieldError[] {
  if (values.length === 0) return [required(at, `${what} must contain at least one value`)];
  if (values.length === 1 || !values.includes("*")) return [];
  return [invalidValue(at, values, `if '*' is present, must not specify other ${what}`)];
}

const verbErrors = (at: string, values: string[] = [], known: string[]) => [
  ...list(at, values, "verbs"),
  ...values.flatMap((verb, i) => supported(`${at}[${i}]`, verb, known)),
];

const subjectFields: Record<string, string> = {
  Group: "group",
  ServiceAccount: "serviceAccount",
  User: "user",
};

function subjectErrors(at: string, subject: any): FieldError[] {
  const { kind } = subject;
  const errors = supported(`${at}.kind`, kind, Object.keys(subjectFields));
  for (const [of, field] of Object.entries(subjectFields)) {
    const value = subject[field];
    if (of === kind && !value) {
      errors.push(required(`${at}.${field}`, `${field} is required when subject kind is '${of}'`));
    } else if (of === kind) {
      if (!value.name) errors.push(required(`${at}.${field}.name`));
      const isWhole = of !== "ServiceAccount" || value.namespace;
      if (!isWhole)
        errors.push(
          required(`${at}.${field}.namespace`, "must specify namespace for service account"),
        );
    } else if (value) {
      const why = `${field} is forbidden when subject kind is not '${of}'`;
      errors.push(forbiddenValue(`${at}.${field}`, why));
    }
  }
  return errors;
}

function resourceRuleErrors(at: string, rule: any): FieldError[] {
  const errors = [
    ...verbErrors(`${at}.verbs`, rule.verbs, resourceVerbs),
    ...list(`${at}.apiGroups`, rule.apiGroups, "api groups"),
    ...list(`${at}.resources`, rule.resources, "resources"),
  ];
  const namespaces: string[] = rule.namespaces ?? [];
  if (namespaces.length === 0 && !rule.clusterScope) {
    const why = "resource rules that are not cluster scoped must supply at least one namespace";
    return [...errors, required(`${at}.namespaces`, why)];
  }
  return namespaces.length > 0
    ? [...errors, ...list(`${at}.namespaces`, namespaces, "namespaces")]
    : errors;
}

function pathErrors(at: string, path: string): FieldError[] {
  if (path === "*") return [];
  if (!path.startsWith("/")) return [invalidValue(at, path, "must start with a '/'")];
  if (path.includes(" ")) return [invalidValue(at, path, "must not contain white-space")];
  if (path.includes("//")) return [invalidValue(at, path, "must not contain double slash")];
  const star = path.indexOf("*");
  const isTail = star < 0 || (star === path.length - 1 && path.endsWith("/*"));
  return isTail ? [] : [invalidValue(at, path, "wildcard can only do suffix matching")];
}

function nonResourceRuleErrors(at: string, { verbs: asked, nonResourceURLs: urls = [] }: any) {
  return [
    ...verbErrors(`${at}.verbs`, asked, pathVerbs),
    ...list(`${at}.nonResourceURLs`, urls, "nonResourceURLs"),
    ...urls.flatMap((url: string, i: number) => pathErrors(`${at}.nonResourceURLs[${i}]`, url)),
  ];
}

function ruleErrors(at: string, rule: any): FieldError[] {
  const { subjects = [], resourceRules = [], nonResourceRules = [] } = rule;
  const each = (field: string, values: any[], judge: (at: string, one: any) => FieldError[]) =>
    values.flatMap((one, i) => judge(`${at}.${field}[${i}]`, one));
  const errors: FieldError[] = [];
  if (subjects.length === 0) {
    errors.push(required(`${at}.subjects`, "subjects must contain at least one value"));
  }
  if (resourceRules.length + nonResourceRules.length === 0) {
    const why = "at least one of resourceRules and nonResourceRules has to be non-empty";
    errors.push(required(at, why));
  }
  return [
    ...errors,
    ...each("subjects", subjects, subjectErrors),
    ...each("resourceRules", resourceRules, resourceRuleErrors),
    ...each("nonResourceRules", nonResourceRules, nonResourceRuleErrors),
  ];
}

export function flowSchemaErrors({ object: { metadata, spec = {} } }: Change): FieldError[] {
  const errors: FieldError[] = [];
  const { matchingPrecedence: precedence, distinguisherMethod, rules = [] } = spec;
  const at = "spec.matchingPrecedence";
  if (!isPositive(precedence))
    errors.push(invalidValue(at, precedence, "must be a positive value"));
  if (precedence > precedenceMax) {
    errors.push(invalidValue(at, precedence, `must not be greater than ${precedenceMax}`));
  }
  if (precedence === 1 && metadata.name !== "exempt") {
    const why = "only the schema named 'exempt' may have matchingPrecedence 1";
    errors.push(invalidValue(at, precedence, why));
  }
  if (distinguisherMethod) {
    const { type = "" } = distinguisherMethod;
    errors.push(...supported("spec.distinguisherMethod.type", type, ["ByNamespace", "ByUser"]));
  }
  const level: string = spec.priorityLevelConfiguration?.name ?? "";
  const levelAt = "spec.priorityLevelConfiguration.name";
  if (!level) errors.push(required(levelAt, "must reference a priority level"));
  else errors.push(...nameErrors(dnsSubdomain, level, levelAt));
  return [
    ...errors,
    ...rules.flatMap((rule: any, i: number) => ruleErrors(`spec.rules[${i}]`, rule)),
  ];
}

/** Bits that name one hand of so many queues; more than a hash has cannot be dealt. */
function entropyBits(queues: number, hand: number): number {
  let bits = 0;
  for (let i = 0; i < hand; i++) bits += Math.log2(queues - i);
  return Math.ceil(bits);
}

function queuingErrors(at: string, { queueLengthLimit, queues, handSize }: any): FieldError[] {
  const errors: FieldError[] = [];
  for (const [field, value] of Object.entries({ queueLengthLimit, queues, handSize })) {
    if (!isPositive(value)) errors.push(invalidValue(`${at}.${field}`, value, "must be positive"));
  }
  if (queues > queuesMax) {
    errors.push(invalidValue(`${at}.queues`, queues, `must not be greater than ${queuesMax}`));
  }
  if (errors.length > 0) return errors;
  if (handSize > queues) {
    const why = `should not be greater than queues (${queues})`;
    return [invalidValue(`${at}.handSize`, handSize, why)];
  }
  if (entropyBits(queues, handSize) <= entropyBitsMax) return [];
  const why = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${entropyBitsMax}`;
  return [invalidValue(`${at}.handSize`, handSize, why)];
}

function shareErrors(at: string, of: any): FieldError[] {
  const { nominalConcurrencyShares: shares, lendablePercent: lends, borrowingLimitPercent } = of;
  const errors: FieldError[] = [];
  if (shares < 0) {
    const field = `${at}.nominalConcurrencyShares`;
    errors.push(invalidValue(field, shares, "must be a non-negative integer"));
  }
  if (lends < 0 || lends > 100) {
    const why = "must be between 0 and 100, inclusive";
    errors.push(invalidValue(`${at}.lendablePercent`, lends, why));
  }
  if (borrowingLimitPercent < 0) {
    const why = "if specified, must be a non-negative integer";
    errors.push(invalidValue(`${at}.borrowingLimitPercent`, borrowingLimitPercent, why));
  }
  return errors;
}

function limitedErrors(limited: any): FieldError[] {
  const at = "spec.limited.limitResponse";
  const { type = "", queuing } = limited.limitResponse ?? {};
  const errors = [
    ...shareErrors("spec.limited", limited),
    ...supported(`${at}.type`, type, ["Queue", "Reject"]),
  ];
  if (type === "Reject" && queuing) {
    const why = "must be nil if limited.limitResponse.type is not Limited";
    errors.push(forbiddenValue(`${at}.queuing`, why));
  }
  if (type !== "Queue") return errors;
  if (queuing) return [...errors, ...queuingErrors(`${at}.queuing`, queuing)];
  const why = "must not be empty if limited.limitResponse.type is Limited";
  return [...errors, required(`${at}.queuing`, why)];
}

export function priorityLevelErrors({ object: { metadata, spec = {} } }: Change): FieldError[] {
  const { type = "", limited, exempt } = spec;
  const errors = supported("spec.type", type, ["Exempt", "Limited"]);
  if ((metadata.name === "exempt") !== (type === "Exempt")) {
    errors.push(
      invalidValue("spec.type", type, "type must be 'Exempt' if and only if name is 'exempt'"),
    );
  }
  if (type === "Exempt") {
    if (limited)
      errors.push(forbiddenValue("spec.limited", "must be nil if the type is not Limited"));
    return exempt ? [...errors, ...shareErrors("spec.exempt", exempt)] : errors;
  }
  if (type !== "Limited") return errors;
  if (exempt) errors.push(forbiddenValue("spec.exempt", "must be nil if the type is Limited"));
  if (!limited)
    return [...errors, required("spec.limited", "must not be empty when type is Limited")];
  return [...errors, ...limitedErrors(limited)];
}
