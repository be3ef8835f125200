// What the schema cannot say of workloads.
import { jsonEqual } from "../../lib/json.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { podSpecErrors } from "../core/pod-validation.ts";
import { forbiddenValue, invalidValue, notNegative, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { numberOrPercent } from "../policy/validation.ts";
import { selectorErrors } from "../selector-validation.ts";
import { labelErrors } from "../validate-metadata.ts";

const isNone = (value: unknown) => value === 0 || value === "0%";

const isEmpty = (selector: any) =>
  !selector ||
  (Object.keys(selector.matchLabels ?? {}).length === 0 && !selector.matchExpressions?.length);

function strategyErrors({ strategy, minReadySeconds = 0, progressDeadlineSeconds }: any) {
  const at = "spec.strategy";
  const errors = supported(`${at}.type`, strategy?.type, ["Recreate", "RollingUpdate"]);
  const rolling = strategy?.rollingUpdate;
  if (rolling && strategy.type === "Recreate") {
    const why = "may not be specified when strategy `type` is 'Recreate'";
    errors.push(forbiddenValue(`${at}.rollingUpdate`, why));
  } else if (rolling) {
    const { maxUnavailable, maxSurge } = rolling;
    errors.push(
      ...numberOrPercent(maxUnavailable, `${at}.rollingUpdate.maxUnavailable`),
      ...numberOrPercent(maxSurge, `${at}.rollingUpdate.maxSurge`, Number.POSITIVE_INFINITY),
    );
    if (isNone(maxUnavailable) && isNone(maxSurge)) {
      const why = "may not be 0 when `maxSurge` is 0";
      errors.push(invalidValue(`${at}.rollingUpdate.maxUnavailable`, maxUnavailable, why));
    }
  }
  if (progressDeadlineSeconds !== undefined && progressDeadlineSeconds <= minReadySeconds) {
    const why = "must be greater than minReadySeconds";
    errors.push(invalidValue("spec.progressDeadlineSeconds", progressDeadlineSeconds, why));
  }
  return errors;
}

function daemonErrors({ type, rollingUpdate }: any): FieldError[] {
  if (type !== "RollingUpdate" || !rollingUpdate) return [];
  const { maxUnavailable, maxSurge } = rollingUpdate;
  const at = "spec.updateStrategy.rollingUpdate";
  const errors = [
    ...numberOrPercent(maxUnavailable, `${at}.maxUnavailable`),
    ...numberOrPercent(maxSurge, `${at}.maxSurge`),
  ];
  if (errors.length > 0) return errors;
  const surges = Number.parseInt(maxSurge ?? 0, 10) > 0;
  const stops = Number.parseInt(maxUnavailable ?? 0, 10) > 0;
  if (surges && stops) {
    const why = "may not be set when maxUnavailable is non-zero";
    return [invalidValue(`${at}.maxSurge`, maxSurge, why)];
  }
  return surges || stops
    ? []
    : [required(`${at}.maxUnavailable`, "cannot be 0 when maxSurge is 0")];
}

/** Deployment, ReplicaSet, StatefulSet and DaemonSet alike. */
export function workloadErrors({ object: { spec, kind }, old, subresource }: Change): FieldError[] {
  if (subresource !== "") return [];
  if (!spec) return [required("spec.selector"), required("spec.template.spec.containers")];
  const counts = ["replicas", "minReadySeconds"];
  if (kind !== "StatefulSet") counts.push("revisionHistoryLimit");
  const errors = counts.flatMap((field) => notNegative(spec[field], `spec.${field}`));
  if (kind === "Deployment") errors.push(...strategyErrors(spec));
  if (kind === "DaemonSet" || kind === "StatefulSet") {
    const type = spec.updateStrategy?.type;
    errors.push(...supported("spec.updateStrategy.type", type, ["OnDelete", "RollingUpdate"]));
  }
  if (kind === "StatefulSet") {
    const field = "spec.updateStrategy.rollingUpdate.partition";
    errors.push(...notNegative(spec.updateStrategy?.rollingUpdate?.partition, field));
  }
  if (kind === "DaemonSet") errors.push(...daemonErrors(spec.updateStrategy));
  const { podManagementPolicy: order } = spec;
  if (order !== undefined && !["OrderedReady", "Parallel"].includes(order)) {
    const why = "must be 'OrderedReady' or 'Parallel'";
    errors.push(invalidValue("spec.podManagementPolicy", order, why));
  }
  if (!old) errors.push(...selectorErrors(spec.selector, "spec.selector"));
  const labels = spec.template?.metadata?.labels;
  errors.push(...labelErrors(labels, "spec.template.labels"));
  if (!spec.selector) errors.push(required("spec.selector"));
  else if (isEmpty(spec.selector)) {
    const why = `empty selector is invalid for ${kind.charAt(0).toLowerCase()}${kind.slice(1)}`;
    errors.push(invalidValue("spec.selector", spec.selector, why));
  } else if (!compileSelector(spec.selector)(labels)) {
    const why = "`selector` does not match template `labels`";
    errors.push(invalidValue("spec.template.metadata.labels", labels ?? {}, why));
  }
  if (old && !jsonEqual(old.spec.selector, spec.selector)) {
    errors.push(invalidValue("spec.selector", spec.selector, "field is immutable"));
  }
  const claims = (spec.volumeClaimTemplates ?? []).map(({ metadata }: any) => metadata?.name);
  errors.push(
    ...podSpecErrors(spec.template?.spec, "spec.template.spec", claims),
    ...supported("spec.template.spec.restartPolicy", spec.template?.spec?.restartPolicy, [
      "Always",
    ]),
  );
  return errors;
}
