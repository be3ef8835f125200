// What the schema cannot say of HorizontalPodAutoscalers.
import type { FieldError } from "../../lib/status-error.ts";
import { invalidValue, notNegative, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";

/** Which field a metric of a type is told in. */
const sources: Record<string, string> = {
  ContainerResource: "containerResource",
  External: "external",
  Object: "object",
  Pods: "pods",
  Resource: "resource",
};

function metricErrors(metric: any, at: string): FieldError[] {
  if (!metric.type) return [required(`${at}.type`, "must specify a metric source type")];
  const wrong = supported(`${at}.type`, metric.type, Object.keys(sources));
  if (wrong.length > 0) return wrong;
  const source = sources[metric.type]!;
  if (metric[source]) return [];
  const why = "must populate information for the given metric source";
  return [required(`${at}.${source}`, why)];
}

export function autoscalerErrors({ object: { spec }, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  const target = spec?.scaleTargetRef;
  const { minReplicas: min, maxReplicas: max = 0 } = spec ?? {};
  const errors = ["kind", "name"]
    .filter((field) => !target?.[field])
    .map((field) => required(`spec.scaleTargetRef.${field}`));
  errors.push(...notNegative(min, "spec.minReplicas"));
  if (max < 1) errors.push(invalidValue("spec.maxReplicas", max, "must be greater than 0"));
  else if (min > max) {
    const why = "must be greater than or equal to `minReplicas`";
    errors.push(invalidValue("spec.maxReplicas", max, why));
  }
  const metrics: any[] = spec?.metrics ?? [];
  return [...errors, ...metrics.flatMap((one, i) => metricErrors(one, `spec.metrics[${i}]`))];
}
