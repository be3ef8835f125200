// What the flowcontrol group checks beyond its schemas, in upstream's words.
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenValue, invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsLabel, dnsSubdomain } from "../name-rules.ts";
import {
  all,
  always,
  each,
  fields,
  first,
  holds,
  named,
  needed,
  none,
  oneOf,
  orZero,
  present,
  unique,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

const precedenceMax = 10_000;
const queuesMax = 10_000_000;
const entropyBitsMax = 60;

const verbs = "create delete deletecollection get list patch proxy update watch".split(" ");

const holdsStar = (list: string[]) => list.includes("*");

/** A list that names something: an asterisk and nothing beside it, or what the rule lets be. */
const list = (what: string, detail: string, rule: Rule = () => none): Rule =>
  needed((values: string[], at) => {
    if (!holdsStar(values)) return rule(values, at);
    const why = `if '*' is present, must not specify other ${what}`;
    return values.length > 1 ? [invalidValue(at, values, why)] : none;
  }, detail);

/** All that are asked for are shown with what there is. */
const knownVerbs: Rule = (asked: string[], at) =>
  asked.every((one) => verbs.includes(one)) ? none : supported(at, asked, verbs);

const verbRule = list("verbs", "verbs must contain at least one value", knownVerbs);

const name = needed();
const anyOr =
  (rule: Rule): Rule =>
  (text, at) =>
    text === "*" ? none : rule(text, at);

const subjectRules: Record<string, [field: string, rule: Rule]> = {
  Group: ["group", fields({ name })],
  ServiceAccount: [
    "serviceAccount",
    fields({
      name: needed(anyOr(named(dnsSubdomain))),
      namespace: needed(named(dnsLabel), "must specify namespace for service account"),
    }),
  ],
  User: ["user", fields({ name })],
};

const subject: Rule = (one, at) => {
  const kind = one.kind ?? "";
  if (!subjectRules[kind]) return supported(`${at}.kind`, kind, Object.keys(subjectRules));
  return Object.entries(subjectRules).flatMap(([of, [field, rule]]): Errors => {
    const value = one[field];
    if (of !== kind) {
      const why = `${field} is forbidden when subject kind is not '${of}'`;
      return value ? [forbiddenValue(`${at}.${field}`, why)] : none;
    }
    if (value) return rule(value, `${at}.${field}`);
    return [required(`${at}.${field}`, `${field} is required when subject kind is '${of}'`)];
  });
};

const namespaceWhy = "each member of this list must be '*' or a DNS-1123 label; ";
const namespaces = list(
  "namespaces",
  "resource rules that are not cluster scoped must supply at least one namespace",
  each((text, at) => dnsLabel(text).map((why) => invalidValue(at, text, namespaceWhy + why))),
);

const resourceRule = all(
  fields({
    verbs: verbRule,
    apiGroups: list("api groups", "resource rules must supply at least one api group"),
    resources: list("resources", "resource rules must supply at least one resource"),
  }),
  (rule, at) =>
    rule.clusterScope && !rule.namespaces?.length
      ? none
      : namespaces(rule.namespaces, `${at}.namespaces`),
);

const isTail = (path: string) => {
  const stars = path.split("*").length - 1;
  return stars === 0 || (stars === 1 && path.endsWith("/*"));
};

const path = anyRoot(
  first(
    holds((text) => text !== "", "must not be empty"),
    holds((text: string) => text.startsWith("/"), "must start with slash"),
    holds((text: string) => !text.includes(" "), "must not contain white-space"),
    holds((text: string) => !text.includes("//"), "must not contain double slash"),
    holds(isTail, "wildcard can only do suffix matching"),
  ),
);

function anyRoot(rule: Rule): Rule {
  return (text, at) => (text === "/" ? none : rule(text, at));
}

const nonResourceRule = fields({
  verbs: verbRule,
  nonResourceURLs: list(
    "non-resource URLs",
    "nonResourceURLs must contain at least one value",
    each(path),
  ),
});

const someWhy = "at least one of resourceRules and nonResourceRules has to be non-empty";

const policyRule = all(
  fields({ subjects: needed(each(subject), "subjects must contain at least one value") }),
  ({ resourceRules = [], nonResourceRules = [] }, at) =>
    resourceRules.length + nonResourceRules.length === 0 ? [required(at, someWhy)] : none,
  fields({ resourceRules: each(resourceRule), nonResourceRules: each(nonResourceRule) }),
);

/** The whole method is shown, by the name that upstream has for its field. */
const distinguisher: Rule = ({ type = "" }, at) =>
  ["ByNamespace", "ByUser"].includes(type)
    ? none
    : supported(`${at}.type`, { Type: type }, ["ByNamespace", "ByUser"]);

const precedence = (of: string): Rule =>
  orZero(
    all(
      holds((value) => value > 0, "must be a positive value"),
      holds((value) => value <= precedenceMax, `must not be greater than ${precedenceMax}`),
      holds(
        (value) => value !== 1 || of === "exempt",
        "only the schema named 'exempt' may have matchingPrecedence 1",
      ),
    ),
  );

const conditions = fields({
  conditions: all(
    unique(({ type }) => type, ".type"),
    each(fields({ type: needed() })),
  ),
});

export function flowSchemaErrors({ object, subresource }: Change): Errors {
  const { metadata, spec = {}, status = {} } = object;
  if (subresource === "status") return conditions(status, "status");
  return fields({
    matchingPrecedence: precedence(metadata.name),
    distinguisherMethod: distinguisher,
    priorityLevelConfiguration: always(
      fields({ name: needed(named(dnsSubdomain), "must reference a priority level") }),
    ),
    rules: each(policyRule),
  })(spec, "spec");
}

/** Bits that name one hand of so many queues; more than a hash has cannot be dealt. */
function entropyBits(queues: number, hand: number): number {
  let bits = 0;
  for (let i = 0; i < hand; i++) bits += Math.log2(queues - i);
  return Math.ceil(bits);
}

const isPositive = holds((value) => value > 0, "must be positive");
const queues = orZero(
  first(
    isPositive,
    holds((value) => value <= queuesMax, `must not be greater than ${queuesMax}`),
  ),
);

function handErrors(hand: number, of: number, at: string): FieldError[] {
  const refuse = (why: string) => [invalidValue(at, hand, why)];
  if (hand <= 0) return refuse("must be positive");
  if (hand > of) return refuse(`should not be greater than queues (${of})`);
  if (entropyBits(of, hand) <= entropyBitsMax) return [];
  return refuse(
    `required entropy bits of deckSize ${of} and handSize ${hand} should not be greater than ${entropyBitsMax}`,
  );
}

const queuing = all(fields({ queueLengthLimit: orZero(isPositive), queues }), (one, at) =>
  handErrors(one.handSize ?? 0, one.queues ?? 0, `${at}.handSize`),
);

const shares = {
  nominalConcurrencyShares: holds((value) => value >= 0, "must be a non-negative integer"),
  lendablePercent: holds(
    (value) => value >= 0 && value <= 100,
    "must be between 0 and 100, inclusive",
  ),
};

const nilWhy = "must be nil if limited.limitResponse.type is not Limited";
const queuingWhy = "must not be empty if limited.limitResponse.type is Limited";

const limitResponse: Rule = (response, at) => {
  const { type, queuing: how } = response;
  if (type === "Queue") return present(queuing, queuingWhy)(how, `${at}.queuing`);
  if (type === "Reject" && how) return [forbiddenValue(`${at}.queuing`, nilWhy)];
  return needed(oneOf("Queue", "Reject"))(type, `${at}.type`);
};

const limited = fields({
  ...shares,
  limitResponse: always(limitResponse),
  borrowingLimitPercent: holds(
    (value) => value >= 0,
    "if specified, must be a non-negative integer",
  ),
});

const exempt = fields(shares);

/** By what sort of level it is. */
const levels: Record<string, Rule> = {
  Exempt: fields({
    limited: (_, at) => [forbiddenValue(at, "must be nil if the type is not Limited")],
    exempt,
  }),
  Limited: fields({
    limited: present(limited, "must not be empty when type is Limited"),
    exempt: (_, at) => [forbiddenValue(at, "must be nil if the type is Limited")],
  }),
};

const typeWhy = "must be 'Exempt' if and only if `name` is 'exempt'";

export function priorityLevelErrors({ object, subresource }: Change): Errors {
  const { metadata, spec = {}, status = {} } = object;
  if (subresource === "status") return conditions(status, "status");
  const { type = "" } = spec;
  const isMisnamed = (metadata.name === "exempt") !== (type === "Exempt");
  return [
    ...(isMisnamed ? [invalidValue("spec.type", type, typeWhy)] : none),
    ...needed(oneOf("Exempt", "Limited"))(type, "spec.type"),
    ...(levels[type]?.(spec, "spec") ?? none),
  ];
}
