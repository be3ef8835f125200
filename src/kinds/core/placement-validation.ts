// What a pod may say of where it wants to be: tolerations, selectors of nodes, spreading.
import type { FieldError } from "../../lib/status-error.ts";
import { duplicate, forbiddenValue, invalidValue, supported } from "../field-checks.ts";
import { dnsLabel, labelValue, qualifiedName } from "../name-rules.ts";
import {
  all,
  always,
  each,
  fields,
  holds,
  named,
  needed,
  none,
  oneOf,
  orEmpty,
  orZero,
} from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { nodeSelectorErrors, preferredTerm, selectorErrors } from "../selector-validation.ts";
import { labelErrors } from "../validate-metadata.ts";

type Any = Record<string, any>;

export const taintEffect = oneOf("NoSchedule", "PreferNoSchedule", "NoExecute");

/** Comparing is a feature that is off. */
const comparing = new Set(["Lt", "Gt"]);
const comparingWhy = 'supported values: "Equal", "Exists", "Lt", "Gt"';

function operatorErrors(operator: string, value: string, at: string): Errors {
  if (operator === "Exists") {
    const why = "value must be empty when `operator` is 'Exists'";
    return value === "" ? none : [invalidValue(at, value, why)];
  }
  if (comparing.has(operator)) {
    const message = `Unsupported value: ${JSON.stringify(operator)}: ${comparingWhy}`;
    return [{ type: "FieldValueNotSupported", field: at, message }];
  }
  if (operator !== "Equal") return supported(at, operator, ["Equal", "Exists"]);
  const reasons = labelValue(value);
  return reasons.length === 0 ? none : [invalidValue(at, value, reasons.join(";"))];
}

const everyWhy =
  'operator must be Exists when `key` is empty, which means "match all values and all keys"';
const secondsWhy = "effect must be 'NoExecute' when `tolerationSeconds` is set";

export const toleration: Rule = (one, at) => {
  const { key = "", value = "", effect = "", operator = "", tolerationSeconds } = one;
  return [
    ...(key ? named(qualifiedName)(key, `${at}.key`) : none),
    ...(key === "" && operator !== "Exists"
      ? [invalidValue(`${at}.operator`, operator, everyWhy)]
      : none),
    ...(tolerationSeconds !== undefined && effect !== "NoExecute"
      ? [invalidValue(`${at}.effect`, effect, secondsWhy)]
      : none),
    ...operatorErrors(operator || "Equal", value, `${at}.operator`),
    ...(effect ? taintEffect(effect, `${at}.effect`) : none),
  ];
};

const weight = orZero(holds((value) => value >= 1 && value <= 100, "must be in the range 1-100"));

const nodeAffinity = fields({
  requiredDuringSchedulingIgnoredDuringExecution: nodeSelectorErrors,
  preferredDuringSchedulingIgnoredDuringExecution: each(
    fields({ weight, preference: preferredTerm }),
  ),
});

const unselectedWhy = "must not be specified when labelSelector is not set";

/** Keys of the pod's own labels that count besides a selector. */
function labelKeyErrors(term: Any, at: string): Errors {
  const { labelSelector, matchLabelKeys: keys = [], mismatchLabelKeys: others = [] } = term;
  const ofList = (list: string[], field: string): Errors => {
    if (list.length === 0) return none;
    if (!labelSelector) return [forbiddenValue(field, unselectedWhy)];
    return each(named(qualifiedName))(list, field);
  };
  const expressions: Any[] = labelSelector?.matchExpressions ?? [];
  const seen = new Set(Object.keys(labelSelector?.matchLabels ?? {}));
  const errors: FieldError[] = [];
  for (const { key } of expressions) {
    const i = keys.lastIndexOf(key);
    if (labelSelector && i >= 0 && seen.has(key)) {
      const why = "exists in both matchLabelKeys and labelSelector";
      errors.push(invalidValue(`${at}[${i}]`, key, why));
    }
    seen.add(key);
  }
  for (const [i, key] of keys.entries()) {
    const why = "exists in both matchLabelKeys and mismatchLabelKeys";
    if (others.includes(key)) errors.push(invalidValue(`${at}.matchLabelKeys[${i}]`, key, why));
  }
  return [
    ...ofList(keys, `${at}.matchLabelKeys`),
    ...ofList(others, `${at}.mismatchLabelKeys`),
    ...errors,
  ];
}

const selectors = fields({ labelSelector: selectorErrors, namespaceSelector: selectorErrors });
const topologyKey = all(needed(undefined, "can not be empty"), orEmpty(named(qualifiedName)));

const podTerm: Rule = (term, at) => [
  ...selectors(term, at),
  ...(term.namespaces ?? []).flatMap((name: string) => named(dnsLabel)(name, `${at}.namespace`)),
  ...labelKeyErrors(term, at),
  ...topologyKey(term.topologyKey, `${at}.topologyKey`),
];

const podAffinity = fields({
  requiredDuringSchedulingIgnoredDuringExecution: each(podTerm),
  preferredDuringSchedulingIgnoredDuringExecution: each(
    fields({ weight, podAffinityTerm: always(podTerm) }),
  ),
});

const inclusion = oneOf("Honor", "Ignore");
const greater = holds((value) => value > 0, "must be greater than zero");

const spread = fields({
  maxSkew: orZero(greater),
  topologyKey: needed(undefined, "can not be empty"),
  whenUnsatisfiable: orEmpty(oneOf("DoNotSchedule", "ScheduleAnyway")),
  nodeAffinityPolicy: inclusion,
  nodeTaintsPolicy: inclusion,
  labelSelector: selectorErrors,
});

const pairOf = ({ topologyKey: key = "", whenUnsatisfiable: when = "" }: Any) =>
  `{${key}, ${when}}`;

const spreads: Rule = (list: Any[], at) =>
  list.flatMap((one, i) => {
    const field = `${at}[${i}]`;
    const { minDomains, whenUnsatisfiable: when = "" } = one;
    const pair = pairOf(one);
    const domains = `${field}.minDomains`;
    const only = `can only use minDomains if whenUnsatisfiable=DoNotSchedule, not ${when}`;
    return [
      ...spread(one, field),
      ...(list.slice(i + 1).some((other) => pairOf(other) === pair)
        ? [duplicate(`${field}.{topologyKey, whenUnsatisfiable}`, pair)]
        : none),
      ...(minDomains === undefined ? none : greater(minDomains, domains)),
      ...(minDomains !== undefined && when !== "DoNotSchedule"
        ? [invalidValue(domains, minDomains, only)]
        : none),
      ...labelKeyErrors(one, field),
    ];
  });

/** Of a PodSpec. */
export const placement = fields({
  nodeSelector: labelErrors,
  affinity: fields({ nodeAffinity, podAffinity, podAntiAffinity: podAffinity }),
  topologySpreadConstraints: spreads,
  tolerations: each(toleration),
});
