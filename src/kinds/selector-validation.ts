// What the schema cannot say of label selectors (apimachinery's validation of them).
import type { FieldError } from "../lib/status-error.ts";
import { forbiddenValue, invalidValue, required } from "./field-checks.ts";
import { labelErrors, labelValue, qualifiedName } from "./validate-metadata.ts";

type Any = Record<string, any>;

function expressionErrors({ key = "", operator = "", values = [] }: Any, at: string): FieldError[] {
  const errors: FieldError[] = [];
  if (operator === "In" || operator === "NotIn") {
    const why = "must be specified when `operator` is 'In' or 'NotIn'";
    if (values.length === 0) errors.push(required(`${at}.values`, why));
  } else if (operator === "Exists" || operator === "DoesNotExist") {
    const why = "may not be specified when `operator` is 'Exists' or 'DoesNotExist'";
    if (values.length > 0) errors.push(forbiddenValue(`${at}.values`, why));
  } else errors.push(invalidValue(`${at}.operator`, operator, "not a valid selector operator"));
  const why = qualifiedName(key);
  if (why !== undefined) errors.push(invalidValue(`${at}.key`, key, why));
  for (const [i, value] of values.entries()) {
    const wrong = labelValue(value);
    if (wrong !== undefined) errors.push(invalidValue(`${at}.values[${i}]`, value, wrong));
  }
  return errors;
}

export function selectorErrors(selector: Any | undefined, at: string): FieldError[] {
  if (!selector) return [];
  return [
    ...labelErrors(selector["matchLabels"], `${at}.matchLabels`),
    ...(selector["matchExpressions"] ?? []).flatMap((one: Any, i: number) =>
      expressionErrors(one, `${at}.matchExpressions[${i}]`),
    ),
  ];
}
