// What the schema cannot say of HorizontalPodAutoscalers.
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { behaviorErrors, metricErrors, reference } from "./metric-validation.ts";

export function autoscalerErrors({ object: { spec }, old, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  const target = spec?.scaleTargetRef;
  const { minReplicas: min, maxReplicas: max = 0 } = spec ?? {};
  const errors: FieldError[] = [...reference(target ?? {}, "spec.scaleTargetRef")];
  const version = target?.apiVersion ?? "";
  // What was allowed once stays.
  const before = old?.["spec"]?.scaleTargetRef;
  const isKept = before?.apiVersion === target?.apiVersion && before?.kind === target?.kind;
  const hasGroup = version.indexOf("/") > 0 || target?.kind === "ReplicationController";
  const isOdd = version.split("/").length > 2;
  if ((!hasGroup || isOdd) && !(old && isKept)) {
    const why = isOdd
      ? `unexpected GroupVersion string: ${version}`
      : "apiVersion must specify API group";
    errors.push(invalidValue("spec.scaleTargetRef.apiVersion", version, why));
  }
  // None is an alpha feature; what was allowed once stays.
  if (min < 1 && old?.["spec"]?.minReplicas !== min) {
    errors.push(invalidValue("spec.minReplicas", min, "must be greater than or equal to 1"));
  }
  if (max < 1) errors.push(invalidValue("spec.maxReplicas", max, "must be greater than 0"));
  else if (min > max) {
    const why = "must be greater than or equal to `minReplicas`";
    errors.push(invalidValue("spec.maxReplicas", max, why));
  }
  // What the older version says of the one metric that it knows.
  const share = spec?.targetCPUUtilizationPercentage;
  if (share !== undefined && share < 1) {
    const field = "spec.metrics[0].resource.target.averageUtilization";
    errors.push(invalidValue(field, share, "must be greater than 0"));
  }
  const metrics: any[] = spec?.metrics ?? [];
  return [
    ...errors,
    ...metrics.flatMap((one, i) => metricErrors(one, `spec.metrics[${i}]`)),
    ...behaviorErrors(spec?.behavior, "spec.behavior"),
  ];
}
