// What the schema cannot say of PodDisruptionBudgets.
import { jsonEqual } from "../../lib/json.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue, notNegative, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { selectorErrors } from "../selector-validation.ts";

const percentWhy =
  "a valid percent string must be a numeric string followed by an ending '%' (e.g. '1%',  or '93%', regex used for " +
  "validation is '[0-9]+%')";

/** A number of pods, or a share of them. */
export function numberOrPercent(
  value: number | string | undefined,
  field: string,
  percentMax = 100,
): FieldError[] {
  if (value === undefined) return [];
  if (typeof value === "number") return notNegative(value, field);
  if (!/^\d+%$/.test(value)) return [invalidValue(field, value, percentWhy)];
  return Number.parseInt(value, 10) > percentMax
    ? [invalidValue(field, value, "must not be greater than 100%")]
    : [];
}

export function disruptionBudgetErrors({
  object: { spec },
  old,
  subresource,
}: Change): FieldError[] {
  if (subresource !== "" || !spec) return [];
  const { minAvailable, maxUnavailable } = spec;
  const errors: FieldError[] = [];
  if (minAvailable !== undefined && maxUnavailable !== undefined) {
    const why = "minAvailable and maxUnavailable cannot be both set";
    errors.push(invalidValue("spec", { minAvailable, maxUnavailable }, why));
  }
  return [
    ...errors,
    ...(old && jsonEqual(old.spec?.selector, spec.selector)
      ? []
      : selectorErrors(spec.selector, "spec.selector")),
    ...numberOrPercent(minAvailable, "spec.minAvailable"),
    ...numberOrPercent(maxUnavailable, "spec.maxUnavailable"),
    ...supported("spec.unhealthyPodEvictionPolicy", spec.unhealthyPodEvictionPolicy, [
      "AlwaysAllow",
      "IfHealthyBudget",
    ]),
  ];
}
