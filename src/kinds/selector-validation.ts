// What the schema cannot say of selectors: of labels (apimachinery's validation of them) and of nodes.
import type { FieldError } from "../lib/status-error.ts";
import { forbiddenValue, invalidValue, required } from "./field-checks.ts";
import { dnsSubdomain, labelValue, qualifiedName } from "./name-rules.ts";
import { each, fields, named, none } from "./rules.ts";
import type { Errors, Rule } from "./rules.ts";
import { labelErrors } from "./validate-metadata.ts";

type Any = Record<string, any>;

const wrongOperator = "not a valid selector operator";
const emptyWhy = "must be specified when `operator` is 'In' or 'NotIn'";
const listedWhy = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";

/** How many values go with an operator. */
function countErrors({ operator = "", values = [] }: Any, at: string): FieldError[] {
  if (operator === "In" || operator === "NotIn") {
    return values.length === 0 ? [required(`${at}.values`, emptyWhy)] : [];
  }
  if (operator === "Exists" || operator === "DoesNotExist") {
    return values.length > 0 ? [forbiddenValue(`${at}.values`, listedWhy)] : [];
  }
  return [invalidValue(`${at}.operator`, operator, wrongOperator)];
}

const values = each(named(labelValue));

const expression: Rule = (one, at) => [
  ...countErrors(one, at),
  ...named(qualifiedName)(one.key ?? "", `${at}.key`),
  ...(one.values ? values(one.values, `${at}.values`) : none),
];

const selector = fields({ matchLabels: labelErrors, matchExpressions: each(expression) });

/** Of a LabelSelector, which may be absent. */
export const selectorErrors = (value: Any | undefined, at: string): Errors =>
  value ? selector(value, at) : none;

const compared = new Set(["Gt", "Lt"]);
const oneWhy = "must be specified single value when `operator` is 'Lt' or 'Gt'";

/** Where a node is only preferred, values that no label can have are let pass. */
const nodeExpression =
  (isNeeded: boolean) =>
  (one: Any, at: string): FieldError[] => {
    const list: string[] = one["values"] ?? [];
    const isCompared = compared.has(one["operator"]);
    const counts = isCompared
      ? list.length === 1
        ? []
        : [required(`${at}.values`, oneWhy)]
      : countErrors(one, at);
    return [
      ...counts,
      ...named(qualifiedName)(one["key"] ?? "", `${at}.key`),
      ...(isNeeded ? values(list, `${at}.values`) : none),
    ];
  };

const oneNameWhy =
  "must be only one value when `operator` is 'In' or 'NotIn' for node field selector";

/** Of the fields of nodes there is one to ask for: the name. */
function fieldExpression({ key = "", operator = "", values: list = [] }: Any, at: string) {
  const errors: FieldError[] = [];
  if (operator !== "In" && operator !== "NotIn") {
    errors.push(invalidValue(`${at}.operator`, operator, wrongOperator));
  } else if (list.length !== 1) errors.push(required(`${at}.values`, oneNameWhy));
  if (key !== "metadata.name") {
    return [...errors, invalidValue(`${at}.key`, key, "not a valid field selector key")];
  }
  return [...errors, ...each(named(dnsSubdomain))(list, `${at}.values`)];
}

const term = (isNeeded: boolean) =>
  fields({
    matchExpressions: each(nodeExpression(isNeeded)),
    matchFields: each(fieldExpression),
  });

const neededTerm = term(true);
export const preferredTerm = term(false);

/** Of a NodeSelector. */
export const nodeSelectorErrors: Rule = (one, at) =>
  one.nodeSelectorTerms?.length
    ? each(neededTerm)(one.nodeSelectorTerms, `${at}.nodeSelectorTerms`)
    : [required(`${at}.nodeSelectorTerms`, "must have at least one node selector term")];
