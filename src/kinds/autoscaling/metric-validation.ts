// What the schema cannot say of the metrics and of the behaviour of HorizontalPodAutoscalers.
import type { FieldError } from "../../lib/status-error.ts";
import { amount, containerResourceErrors } from "../core/resource-validation.ts";
import { dnsLabel, pathSegment } from "../name-rules.ts";
import { always, fields, named, needed } from "../rules.ts";
import { forbiddenValue, invalidValue, required, supported } from "../field-checks.ts";

type Any = Record<string, any>;

const targetTypes = ["Utilization", "Value", "AverageValue"];

function targetErrors(target: Any, at: string): FieldError[] {
  const { type = "" } = target;
  const errors = type ? [] : [required(`${at}.type`, "must specify a metric target type")];
  if (!targetTypes.includes(type)) {
    const why = "must be either Utilization, Value, or AverageValue";
    errors.push(invalidValue(`${at}.type`, type, why));
  }
  for (const field of ["value", "averageValue"]) {
    if (target[field] === undefined || (amount(target[field]) ?? 1) > 0) continue;
    errors.push(invalidValue(`${at}.${field}`, target[field], "must be positive"));
  }
  const { averageUtilization: share } = target;
  if (share !== undefined && share < 1) {
    errors.push(invalidValue(`${at}.averageUtilization`, share, "must be greater than 0"));
  }
  return errors;
}

/** By type: where it is told, which targets it needs one of, and why. */
const sources: Record<string, { field: string; targets: [string, ...string[]]; why: string }> = {
  ContainerResource: {
    field: "containerResource",
    targets: ["averageUtilization", "averageValue"],
    why: "must set either a target raw value or a target utilization",
  },
  External: {
    field: "external",
    targets: ["averageValue", "value"],
    why: "must set either a target value for metric or a per-pod target",
  },
  Object: {
    field: "object",
    targets: ["averageValue", "value"],
    why: "must set either a target value or averageValue",
  },
  Pods: {
    field: "pods",
    targets: ["averageValue"],
    why: "must specify a positive target averageValue",
  },
  Resource: {
    field: "resource",
    targets: ["averageUtilization", "averageValue"],
    why: "must set either a target raw value or a target utilization",
  },
};

const container = needed(named(dnsLabel), "must specify a container");

function sourceErrors(source: Any, at: string, type: string): FieldError[] {
  const { targets, why } = sources[type]!;
  const errors: FieldError[] = [];
  const isResource = type === "Resource" || type === "ContainerResource";
  if (isResource && !source["name"]) {
    errors.push(required(`${at}.name`, "must specify a resource name"));
  }
  if (type === "ContainerResource") {
    errors.push(...container(source["container"], `${at}.container`));
    if (source["name"]) errors.push(...containerResourceErrors(source["name"], `${at}.name`));
  }
  if (type === "Object") {
    errors.push(...reference(source["describedObject"] ?? {}, `${at}.describedObject`));
  }
  if (!isResource) errors.push(...identifier(source["metric"], `${at}.metric`));
  const target: Any = source["target"] ?? {};
  errors.push(...targetErrors(target, `${at}.target`));
  const given = targets.filter((field) => target[field] !== undefined);
  if (given.length === 0) errors.push(required(`${at}.target.${targets[0]}`, why));
  else if (given.length > 1 && type !== "Object") {
    errors.push(forbiddenValue(`${at}.target.${targets[1]!}`, "may not set both targets"));
  }
  return errors;
}

/** An object by its kind and its name. */
export const reference = fields({
  kind: needed(named(pathSegment)),
  name: needed(named(pathSegment)),
});

const identifier = always(
  fields({ name: needed(named(pathSegment), "must specify a metric name") }),
);

export function metricErrors(metric: Any, at: string): FieldError[] {
  const { type } = metric;
  if (!type) return [required(`${at}.type`, "must specify a metric source type")];
  const wrong = supported(`${at}.type`, type, Object.keys(sources));
  if (wrong.length > 0) return wrong;
  const { field } = sources[type]!;
  const others = Object.values(sources)
    .filter((one) => one.field !== field && metric[one.field])
    .map((one) =>
      forbiddenValue(`${at}.${one.field}`, "must populate the given metric source only"),
    );
  if (metric[field]) return [...sourceErrors(metric[field], `${at}.${field}`, type), ...others];
  return [required(`${at}.${field}`, "must populate information for the given metric source")];
}

const windowSecondsMax = 3600;
const periodSecondsMax = 1800;

function policyErrors({ type, value = 0, periodSeconds = 0 }: Any, at: string): FieldError[] {
  const errors = supported(`${at}.type`, type ?? "", ["Percent", "Pods"]);
  if (value <= 0) errors.push(invalidValue(`${at}.value`, value, "must be greater than zero"));
  const wrong = (why: string) =>
    errors.push(invalidValue(`${at}.periodSeconds`, periodSeconds, why));
  if (periodSeconds <= 0) wrong("must be greater than zero");
  if (periodSeconds > periodSecondsMax) wrong(`must be less than or equal to ${periodSecondsMax}`);
  return errors;
}

export function behaviorErrors(behavior: Any | undefined, at: string): FieldError[] {
  return ["scaleUp", "scaleDown"].flatMap((direction) => {
    const rules = behavior?.[direction];
    if (!rules) return [];
    const field = `${at}.${direction}`;
    const { stabilizationWindowSeconds: window = 0, policies, selectPolicy, tolerance } = rules;
    const errors = supported(`${field}.selectPolicy`, selectPolicy, ["Disabled", "Max", "Min"]);
    const wrong = (why: string) =>
      errors.push(invalidValue(`${field}.stabilizationWindowSeconds`, window, why));
    if (window < 0) wrong("must be greater than or equal to zero");
    if (window > windowSecondsMax) wrong(`must be less than or equal to ${windowSecondsMax}`);
    if (policies?.length === 0) {
      errors.push(required(`${field}.policies`, "must specify at least one Policy"));
    }
    if (tolerance !== undefined && (amount(tolerance) ?? 0) < 0) {
      const why = "must be greater than or equal to 0";
      errors.push(invalidValue(`${field}.tolerance`, tolerance, why));
    }
    return [
      ...errors,
      ...(policies ?? []).flatMap((one: Any, i: number) =>
        policyErrors(one, `${field}.policies[${i}]`),
      ),
    ];
  });
}
