// What the schema cannot say of workloads.
import { jsonEqual } from "../../lib/json.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { templateErrors } from "../core/pod-validation.ts";
import { forbiddenValue, invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { all, always, atLeast, fields, none, relation } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { numberOrPercent } from "../policy/validation.ts";
import { selectorErrors } from "../selector-validation.ts";
import { statefulSet, statefulSetUpdateErrors } from "./stateful-set-validation.ts";

const count = atLeast(0);
const percentOf = (value: unknown) => Number.parseInt(String(value ?? 0), 10);
const isNone = (value: unknown) => percentOf(value) === 0;

const percent: Rule = (value, at) => numberOrPercent(value, at);
const anyPercent: Rule = (value, at) => numberOrPercent(value, at, Number.POSITIVE_INFINITY);

const rollingDeployment = all(
  fields({ maxUnavailable: percent, maxSurge: anyPercent }),
  relation(
    ({ maxUnavailable, maxSurge }) => !isNone(maxUnavailable) || !isNone(maxSurge),
    ({ maxUnavailable = 0 }, at) =>
      invalidValue(`${at}.maxUnavailable`, maxUnavailable, "may not be 0 when `maxSurge` is 0"),
  ),
);

const recreateWhy = "may not be specified when strategy `type` is 'Recreate'";
const strategy: Rule = ({ type, rollingUpdate }, at) => {
  if (type === "Recreate") {
    return rollingUpdate ? [forbiddenValue(`${at}.rollingUpdate`, recreateWhy)] : none;
  }
  if (type !== "RollingUpdate") return supported(at, { type }, ["Recreate", "RollingUpdate"]);
  return rollingUpdate ? rollingDeployment(rollingUpdate, `${at}.rollingUpdate`) : none;
};

const rollingDaemons = all(
  fields({ maxUnavailable: percent, maxSurge: percent }),
  ({ maxUnavailable, maxSurge }, at) => {
    const both = "may not be set when maxUnavailable is non-zero";
    if (isNone(maxUnavailable)) {
      const why = "cannot be 0 when maxSurge is 0";
      return isNone(maxSurge) ? [required(`${at}.maxUnavailable`, why)] : none;
    }
    return isNone(maxSurge) ? none : [invalidValue(`${at}.maxSurge`, maxSurge, both)];
  },
);

const daemonStrategy: Rule = ({ type, rollingUpdate }, at) => {
  if (type === "OnDelete") return none;
  if (type !== "RollingUpdate") return supported(at, { type }, ["RollingUpdate", "OnDelete"]);
  return rollingUpdate ? rollingDaemons(rollingUpdate, `${at}.rollingUpdate`) : none;
};

const deadline = relation(
  ({ progressDeadlineSeconds: seconds, minReadySeconds = 0 }) =>
    seconds === undefined || seconds > minReadySeconds,
  ({ progressDeadlineSeconds }, at) =>
    invalidValue(
      `${at}.progressDeadlineSeconds`,
      progressDeadlineSeconds,
      "must be greater than minReadySeconds",
    ),
);

/** What each kind says besides its selector and its template. */
const rules: Record<string, Rule> = {
  Deployment: all(
    fields({
      replicas: count,
      strategy,
      minReadySeconds: count,
      revisionHistoryLimit: count,
      progressDeadlineSeconds: count,
    }),
    deadline,
  ),
  ReplicaSet: fields({ replicas: count, minReadySeconds: count }),
  DaemonSet: fields({
    minReadySeconds: count,
    updateStrategy: daemonStrategy,
    revisionHistoryLimit: count,
  }),
  StatefulSet: statefulSet,
};

const isEmpty = ({ matchLabels = {}, matchExpressions = [] }: any) =>
  Object.keys(matchLabels).length + matchExpressions.length === 0;

function selectorAndLabelErrors(spec: any, kind: string): Errors {
  const { selector, template } = spec;
  const at = "spec.selector";
  const labels = template?.metadata?.labels;
  const unmatched = "`selector` does not match template `labels`";
  const mismatch = invalidValue("spec.template.metadata.labels", labels ?? null, unmatched);
  // Upstream asks DaemonSets last, when nothing matches what is not there.
  if (!selector) return kind === "DaemonSet" ? [required(at), mismatch] : [required(at)];
  const errors: FieldError[] = [...selectorErrors(selector, at)];
  if (errors.length > 0) return errors;
  if (isEmpty(selector)) {
    const why = `empty selector is invalid for ${kind.toLowerCase()}`;
    return [invalidValue(at, selector, why)];
  }
  return compileSelector(selector)(labels) ? none : [mismatch];
}

/** Pods of a workload are there until it lets them go. */
function lifeErrors(spec: any, kind: string): Errors {
  const { restartPolicy, activeDeadlineSeconds } = spec ?? {};
  const at = "spec.template.spec";
  const owner = kind === "Deployment" ? "ReplicaSet" : kind;
  return [
    ...supported(`${at}.restartPolicy`, restartPolicy, ["Always"]),
    ...(activeDeadlineSeconds === undefined
      ? none
      : [
          forbiddenValue(
            `${at}.activeDeadlineSeconds`,
            `activeDeadlineSeconds in ${owner} is not Supported`,
          ),
        ]),
  ];
}

/** Deployment, ReplicaSet, StatefulSet and DaemonSet alike. */
export function workloadErrors({ object: { spec, kind }, old, subresource }: Change): Errors {
  if (subresource !== "") return none;
  const whole = spec ?? {};
  const { template } = whole;
  const claims = (whole.volumeClaimTemplates ?? []).map(({ metadata }: any) => metadata?.name);
  const isSame = old && jsonEqual(old.spec.template, template);
  const errors = [
    ...rules[kind]!(whole, "spec"),
    ...selectorAndLabelErrors(whole, kind),
    ...(isSame ? none : templateErrors(templateOf(template, kind), "spec.template", claims)),
    ...(isSame ? none : lifeErrors(template?.spec, kind)),
  ];
  if (!old) return errors;
  if (kind === "StatefulSet") return [...errors, ...statefulSetUpdateErrors(whole, old.spec)];
  return jsonEqual(old.spec.selector, whole.selector)
    ? errors
    : [...errors, invalidValue("spec.selector", whole.selector ?? null, "field is immutable")];
}

/** The names of a set's pods are the set's, whatever its template says. */
function templateOf(template: any, kind: string) {
  if (kind !== "StatefulSet" || !template?.spec) return template;
  const { hostname: _h, subdomain: _s, ...spec } = template.spec;
  return { ...template, spec };
}

const dataWhy = "data is mandatory";
export const controllerRevisionErrors = ({ object, subresource }: Change): Errors =>
  subresource === ""
    ? fields({
        revision: count,
        data: always((data, at) =>
          Object.keys(data).length > 0 || object["data"] ? none : [required(at, dataWhy)],
        ),
      })(object, "")
    : none;
