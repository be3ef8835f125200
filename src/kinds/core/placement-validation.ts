// What a pod may say of where it wants to be: tolerations, selectors of nodes, spreading.
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenValue, invalidValue, required, supported } from "../field-checks.ts";
import { selectorErrors } from "../selector-validation.ts";
import { labelErrors } from "../validate-metadata.ts";

type Any = Record<string, any>;

const effects = ["NoSchedule", "PreferNoSchedule", "NoExecute"];

function tolerationErrors(toleration: Any, at: string): FieldError[] {
  const { key = "", value = "", effect, tolerationSeconds } = toleration;
  const operator = toleration["operator"] || "Equal";
  const errors = supported(`${at}.operator`, operator, ["Equal", "Exists", "Lt", "Gt"]);
  if (key === "" && operator !== "Exists") {
    const why =
      'operator must be Exists when `key` is empty, which means "match all values and all keys"';
    errors.push(invalidValue(`${at}.operator`, operator, why));
  }
  if (operator === "Exists" && value !== "") {
    const why = "value must be empty when `operator` is 'Exists'";
    errors.push(invalidValue(`${at}.operator`, value, why));
  }
  if (effect) errors.push(...supported(`${at}.effect`, effect, effects));
  if (tolerationSeconds !== undefined && effect !== "NoExecute") {
    const why = "effect must be 'NoExecute' when `tolerationSeconds` is set";
    errors.push(invalidValue(`${at}.effect`, effect ?? "", why));
  }
  return errors;
}

const operators = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];

function expressionErrors({ key, operator, values = [] }: Any, at: string): FieldError[] {
  const errors = key ? [] : [required(`${at}.key`)];
  if (!operators.includes(operator)) {
    return [
      ...errors,
      invalidValue(`${at}.operator`, operator ?? "", "not a valid selector operator"),
    ];
  }
  if (operator.endsWith("In") && values.length === 0) {
    const why = "must be specified when `operator` is 'In' or 'NotIn'";
    errors.push(required(`${at}.values`, why));
  }
  if (/Exist/.test(operator) && values.length > 0) {
    const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    errors.push(forbiddenValue(`${at}.values`, why));
  }
  if (/^[GL]t$/.test(operator) && values.length !== 1) {
    const why = "must be specified single value when `operator` is 'Lt' or 'Gt'";
    errors.push(required(`${at}.values`, why));
  }
  return errors;
}

const termErrors = (term: Any, at: string): FieldError[] =>
  ["matchExpressions", "matchFields"].flatMap((list) =>
    (term[list] ?? []).flatMap((one: Any, i: number) =>
      expressionErrors(one, `${at}.${list}[${i}]`),
    ),
  );

function nodeAffinityErrors(affinity: Any | undefined, at: string): FieldError[] {
  const needed = affinity?.["requiredDuringSchedulingIgnoredDuringExecution"];
  const wanted: Any[] = affinity?.["preferredDuringSchedulingIgnoredDuringExecution"] ?? [];
  const terms = `${at}.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms`;
  const errors: FieldError[] = [];
  if (needed && !needed.nodeSelectorTerms?.length) {
    errors.push(required(terms, "must have at least one node selector term"));
  }
  for (const [i, term] of (needed?.nodeSelectorTerms ?? []).entries()) {
    errors.push(...termErrors(term, `${terms}[${i}]`));
  }
  for (const [i, { weight, preference }] of wanted.entries()) {
    const field = `${at}.preferredDuringSchedulingIgnoredDuringExecution[${i}]`;
    if (!(weight >= 1 && weight <= 100)) {
      errors.push(invalidValue(`${field}.weight`, weight ?? 0, "must be in the range 1-100"));
    }
    errors.push(...termErrors(preference ?? {}, `${field}.preference`));
  }
  return errors;
}

function podAffinityErrors(affinity: Any | undefined, at: string): FieldError[] {
  const needed: Any[] = affinity?.["requiredDuringSchedulingIgnoredDuringExecution"] ?? [];
  const wanted: Any[] = affinity?.["preferredDuringSchedulingIgnoredDuringExecution"] ?? [];
  const terms: [term: Any, at: string][] = [
    ...needed.map((term, i): [Any, string] => [
      term,
      `${at}.requiredDuringSchedulingIgnoredDuringExecution[${i}]`,
    ]),
    ...wanted.map(({ podAffinityTerm }, i): [Any, string] => [
      podAffinityTerm ?? {},
      `${at}.preferredDuringSchedulingIgnoredDuringExecution[${i}].podAffinityTerm`,
    ]),
  ];
  return terms.flatMap(([term, field]) => [
    ...selectorErrors(term["labelSelector"], `${field}.labelSelector`),
    ...selectorErrors(term["namespaceSelector"], `${field}.namespaceSelector`),
    ...(term["topologyKey"] ? [] : [required(`${field}.topologyKey`, "can not be empty")]),
  ]);
}

const whens = ["DoNotSchedule", "ScheduleAnyway"];

function spreadErrors(spread: Any, at: string) {
  const { maxSkew = 0, topologyKey, whenUnsatisfiable } = spread;
  const errors = topologyKey ? [] : [required(`${at}.topologyKey`, "can not be empty")];
  if (maxSkew <= 0) {
    errors.unshift(invalidValue(`${at}.maxSkew`, maxSkew, "must be greater than zero"));
  }
  return [
    ...errors,
    ...supported(`${at}.whenUnsatisfiable`, whenUnsatisfiable ?? "", whens),
    ...selectorErrors(spread["labelSelector"], `${at}.labelSelector`),
  ];
}

/** Errors of the PodSpec at `at`. */
export function placementErrors(spec: Any, at: string): FieldError[] {
  const each = (list: string, check: (one: Any, at: string) => FieldError[]) =>
    (spec[list] ?? []).flatMap((one: Any, i: number) => check(one, `${at}.${list}[${i}]`));
  return [
    ...labelErrors(spec["nodeSelector"], `${at}.nodeSelector`),
    ...each("tolerations", tolerationErrors),
    ...nodeAffinityErrors(spec["affinity"]?.nodeAffinity, `${at}.affinity.nodeAffinity`),
    ...["podAffinity", "podAntiAffinity"].flatMap((kind) =>
      podAffinityErrors(spec["affinity"]?.[kind], `${at}.affinity.${kind}`),
    ),
    ...each("topologySpreadConstraints", spreadErrors),
  ];
}
