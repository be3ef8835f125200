// What the schema cannot say of Jobs.
import { semanticEqual } from "../semantic-equal.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { templateErrors } from "../core/pod-validation.ts";
import { invalidValue, required, supported } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { dnsLabel } from "../name-rules.ts";
import { atLeast, fields, none, oneOf, tooLong } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";
import { selectorErrors } from "../selector-validation.ts";
import { domainPrefixedPath } from "../networking/ingress-validation.ts";
import { failurePolicyErrors, successPolicyErrors } from "./policy-validation.ts";

type Any = Record<string, any>;

const managerCharsMax = 63;

/** Whoever runs the Job instead of the cluster. */
const manager: Rule = (name: string, at) => [
  ...domainPrefixedPath(name, at),
  ...(name.length > managerCharsMax ? [tooLong(at, managerCharsMax)] : none),
];

const count = atLeast(0);
const plain = fields({
  parallelism: count,
  completions: count,
  activeDeadlineSeconds: count,
  backoffLimit: count,
  ttlSecondsAfterFinished: count,
  backoffLimitPerIndex: count,
  maxFailedIndexes: count,
  managedBy: manager,
  completionMode: oneOf("NonIndexed", "Indexed"),
});

const manyMax = 100_000;
const manyPerIndexMax = 10_000;

function indexedErrors(spec: Any, at: string): FieldError[] {
  const { completions, parallelism = 0, maxFailedIndexes: failed, backoffLimitPerIndex } = spec;
  const errors: FieldError[] = [];
  const wrong = (field: string, why: string) =>
    errors.push(invalidValue(`${at}.${field}`, spec[field], why));
  if (completions === undefined) {
    errors.push(required(`${at}.completions`, "when completion mode is Indexed"));
  }
  const most = (max: number) => `must be less than or equal to ${max}`;
  if (parallelism > manyMax) {
    wrong("parallelism", `${most(manyMax)} when completion mode is Indexed`);
  }
  if (failed > completions) wrong("maxFailedIndexes", "must be less than or equal to completions");
  if (failed > manyMax) wrong("maxFailedIndexes", most(manyMax));
  if (!(completions > manyMax) || backoffLimitPerIndex === undefined) return errors;
  if (failed === undefined) {
    const why = `must be specified when completions is above ${manyMax}`;
    errors.push(required(`${at}.maxFailedIndexes`, why));
  }
  const why = `${most(manyPerIndexMax)} when completions are above ${manyMax} and used with backoff limit per index`;
  if (parallelism > manyPerIndexMax) wrong("parallelism", why);
  if (failed > manyPerIndexMax) wrong("maxFailedIndexes", why);
  return errors;
}

function modeErrors(spec: Any, at: string): Errors {
  const { completionMode: mode = "NonIndexed", maxFailedIndexes, backoffLimitPerIndex } = spec;
  const alone =
    maxFailedIndexes !== undefined && backoffLimitPerIndex === undefined
      ? [required(`${at}.backoffLimitPerIndex`, "when maxFailedIndexes is specified")]
      : none;
  if (mode === "Indexed") return [...alone, ...indexedErrors(spec, at)];
  if (mode !== "NonIndexed") return alone;
  return [
    ...alone,
    ...["backoffLimitPerIndex", "maxFailedIndexes"]
      .filter((field) => spec[field] !== undefined)
      .map((field) =>
        invalidValue(`${at}.${field}`, spec[field], "requires indexed completion mode"),
      ),
  ];
}

function policyErrors(spec: Any, at: string): Errors {
  const { podFailurePolicy, successPolicy, completionMode, podReplacementPolicy } = spec;
  const policies = podFailurePolicy ? ["Failed"] : ["Failed", "TerminatingOrFailed"];
  const success = `${at}.successPolicy`;
  return [
    ...(podFailurePolicy ? failurePolicyErrors(spec, `${at}.podFailurePolicy`) : none),
    ...(successPolicy
      ? completionMode === "Indexed"
        ? successPolicyErrors(spec, success)
        : [invalidValue(success, successPolicy, "requires indexed completion mode")]
      : none),
    ...supported(`${at}.podReplacementPolicy`, podReplacementPolicy, policies),
  ];
}

function restartErrors({ restartPolicy = "" }: Any, hasPolicy: boolean, at: string): Errors {
  const field = `${at}.restartPolicy`;
  if (restartPolicy === "Always" || restartPolicy === "") {
    return [required(field, 'valid values: "OnFailure", "Never"')];
  }
  const errors = supported(field, restartPolicy, ["OnFailure", "Never"]);
  if (errors.length > 0 || !hasPolicy || restartPolicy === "Never") return errors;
  const why = 'only "Never" is supported when podFailurePolicy is specified';
  return [invalidValue(field, restartPolicy, why)];
}

/** A JobSpec, selector aside. */
export function jobSpecErrors(spec: Any, at: string): Errors {
  const { template, podFailurePolicy } = spec;
  return [
    ...plain(spec, at),
    ...modeErrors(spec, at),
    ...policyErrors(spec, at),
    ...templateErrors(template, `${at}.template`),
    ...restartErrors(template?.spec ?? {}, podFailurePolicy !== undefined, `${at}.template.spec`),
  ];
}

const isMatched = (selector: Any | undefined, labels: Any | undefined) =>
  selector !== undefined && compileSelector(selector as any)(labels);

function labelsErrors({ metadata, spec }: any): Errors {
  const { selector, template, manualSelector } = spec;
  const errors: FieldError[] = selector
    ? [...selectorErrors(selector, "spec.selector")]
    : [required("spec.selector")];
  const made = {
    "batch.kubernetes.io/controller-uid": metadata.uid,
    "batch.kubernetes.io/job-name": metadata.name,
    "controller-uid": metadata.uid,
    "job-name": metadata.name,
  };
  if (selector && errors.length === 0 && !manualSelector && !isMatched(selector, made)) {
    errors.push(invalidValue("spec.selector", selector, "`selector` not auto-generated"));
  }
  const labels = template?.metadata?.labels;
  if (errors.every(({ field }) => field === "spec.selector") && !isMatched(selector, labels)) {
    const why = "`selector` does not match template `labels`";
    errors.push(invalidValue("spec.template.metadata.labels", labels ?? null, why));
  }
  return errors;
}

function nameErrors({ metadata, spec }: any): Errors {
  const { completionMode, completions } = spec;
  if (completionMode !== "Indexed" || !(completions > 0)) return none;
  const last = `${metadata.name}-${completions - 1}`;
  if (dnsLabel(last).length === 0) return none;
  const why = `will not able to create pod with invalid DNS label: ${last}`;
  return [invalidValue("metadata.name", metadata.name, why)];
}

const immutable = [
  "selector",
  "completionMode",
  "podFailurePolicy",
  "backoffLimitPerIndex",
  "managedBy",
  "successPolicy",
];

/** Where the pods of a Job that has not started may run is open. */
function placed({ metadata = {}, spec = {} }: any = {}) {
  const { nodeSelector: _n, tolerations: _t, schedulingGates: _g, affinity = {}, ...rest } = spec;
  const { labels: _l, annotations: _a, ...meta } = metadata;
  const { nodeAffinity: _f, ...near } = affinity;
  const plainly = (list: any[] = []) => list.map(({ resources: _r, ...one }) => one);
  return {
    meta,
    near,
    ...rest,
    containers: plainly(rest.containers),
    initContainers: plainly(rest.initContainers),
  };
}

function updateErrors(now: Any, before: Any): Errors {
  const errors: FieldError[] = [];
  const fixed = (field: string) => {
    const value = now[field] ?? null;
    errors.push(invalidValue(`spec.${field}`, value, "field is immutable"));
  };
  const { completions, parallelism, completionMode } = now;
  if (completions !== before["completions"]) {
    const why = "can only be modified in tandem with spec.parallelism";
    if (completionMode !== "Indexed") fixed("completions");
    else if (completions !== undefined && completions !== parallelism) {
      errors.push(invalidValue("spec.completions", completions, why));
    }
  }
  for (const field of immutable) if (!semanticEqual(now[field], before[field])) fixed(field);
  if (semanticEqual(now["template"], before["template"])) return errors;
  const mayMove = before["suspend"];
  if (!mayMove || !semanticEqual(placed(now["template"]), placed(before["template"])))
    fixed("template");
  return errors;
}

export function jobErrors({ object, old, subresource }: Change): Errors {
  if (subresource !== "") return none;
  const { spec = {} } = object;
  const errors = [...jobSpecErrors(spec, "spec"), ...labelsErrors({ ...object, spec })];
  if (old) return [...errors, ...updateErrors(spec, old.spec)];
  return [...errors, ...nameErrors({ ...object, spec })];
}
