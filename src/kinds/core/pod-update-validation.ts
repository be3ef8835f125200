// What may change of a pod that is there.
import { semanticEqual } from "../semantic-equal.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { forbiddenValue, invalidValue } from "../field-checks.ts";
import type { KubeObject } from "../object.ts";
import { none } from "../rules.ts";
import type { Errors } from "../rules.ts";

type Any = Record<string, any>;

const updateWhy =
  "pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`," +
  "`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations)," +
  "`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)";

function deadlineErrors({ activeDeadlineSeconds: now }: Any, before: number | undefined): Errors {
  if (before === undefined || before === now) return none;
  const wrong = (why: string) => [invalidValue("spec.activeDeadlineSeconds", now ?? null, why)];
  if (now === undefined) return wrong("must not update from a positive integer to nil value");
  return now > before ? wrong("must be less than or equal to previous value") : none;
}

const withoutSeconds = (one: Any) => ({ ...one, tolerationSeconds: undefined });
const keptWhy = "existing toleration can not be modified except its tolerationSeconds";

const tolerationErrors = (now: Any[], before: Any[]): Errors =>
  before
    .filter((old) => !now.some((one) => semanticEqual(withoutSeconds(one), withoutSeconds(old))))
    .map(() => forbiddenValue("spec.tolerations", keptWhy));

const gateErrors = (now: Any[], before: Any[]): Errors =>
  now.flatMap(({ name }, i) => {
    if (before.some((one) => one["name"] === name)) return none;
    const why = `only deletion is allowed, but found new scheduling gate '${name}'`;
    return [forbiddenValue(`spec.schedulingGates[${i}].name`, why)];
  });

const needed = "requiredDuringSchedulingIgnoredDuringExecution";
const termsOf = (affinity: Any | undefined): Any[] =>
  affinity?.["nodeAffinity"]?.[needed]?.nodeSelectorTerms ?? [];

/** A term that only asks for more. */
const isNarrower = (now: Any, before: Any) =>
  ["matchExpressions", "matchFields"].every((list) => {
    const old: unknown[] = before[list] ?? [];
    return semanticEqual((now[list] ?? []).slice(0, old.length), old);
  }) &&
  (semanticEqual(now, before) ||
    (before["matchExpressions"] ?? before["matchFields"]) !== undefined);

/** While it waits for a gate, where it may run can be narrowed. */
function gatedErrors(now: Any, before: Any): Errors {
  const errors: FieldError[] = [];
  const selector = now["nodeSelector"] ?? {};
  const kept = Object.entries(before["nodeSelector"] ?? {});
  if (kept.some(([key, value]) => selector[key] !== value)) {
    const why = "only additions to spec.nodeSelector are allowed (no mutations or deletions)";
    errors.push(invalidValue("spec.nodeSelector", selector, why));
  }
  const [terms, old] = [termsOf(now["affinity"]), termsOf(before["affinity"])];
  const at = `spec.affinity.nodeAffinity.${needed}.nodeSelectorTerms`;
  if (old.length > 0 && terms.length !== old.length) {
    const why = "no additions/deletions to non-empty NodeSelectorTerms list are allowed";
    return [...errors, invalidValue(at, terms, why)];
  }
  for (const [i, term] of old.entries()) {
    if (isNarrower(terms[i]!, term)) continue;
    const why = "only additions are allowed (no mutations or deletions)";
    errors.push(invalidValue(`${at}[${i}]`, terms[i], why));
  }
  return errors;
}

const withoutNodes = (affinity: Any = {}) => ({ ...affinity, nodeAffinity: undefined });

/** The spec without what an update may change. */
function fixed(spec: Any, isGated: boolean): Any {
  const {
    activeDeadlineSeconds: _a,
    tolerations: _t,
    schedulingGates: _g,
    ephemeralContainers: _e,
    nodeName: _n,
    terminationGracePeriodSeconds: grace,
    ...rest
  } = spec;
  if (isGated) {
    delete rest["nodeSelector"];
    rest["affinity"] = withoutNodes(rest["affinity"]);
  }
  const plain = (containers: Any[] | undefined) =>
    containers?.map(({ image: _i, ...container }) => container);
  return {
    ...rest,
    grace,
    containers: plain(rest["containers"]),
    initContainers: plain(rest["initContainers"]),
  };
}

function ephemeralErrors(now: Any[], before: Any[]): Errors {
  const at = "spec.ephemeralContainers";
  return before.flatMap((old) => {
    const one = now.find(({ name }) => name === old["name"]);
    const named = `existing ephemeral containers ${JSON.stringify(old["name"])}`;
    if (!one) return [forbiddenValue(at, `${named} may not be removed\n`)];
    return semanticEqual(one, old) ? none : [forbiddenValue(at, `${named} may not be changed\n`)];
  });
}

export function podUpdateErrors(object: KubeObject, old: KubeObject, subresource: string): Errors {
  const [now, before] = [object.spec, old.spec];
  if (subresource === "ephemeralcontainers") {
    return ephemeralErrors(now.ephemeralContainers ?? [], before.ephemeralContainers ?? []);
  }
  const lists = ["containers", "initContainers"].filter(
    (list) => (now[list]?.length ?? 0) !== (before[list]?.length ?? 0),
  );
  if (lists.length > 0) {
    const why = "pod updates may not add or remove containers";
    return lists.map((list) => forbiddenValue(`spec.${list}`, why));
  }
  const deadline = deadlineErrors(now, before.activeDeadlineSeconds);
  const isGated = before.schedulingGates?.length > 0;
  const errors = [
    ...deadline,
    ...tolerationErrors(now.tolerations ?? [], before.tolerations ?? []),
    ...gateErrors(now.schedulingGates ?? [], before.schedulingGates ?? []),
    ...(isGated ? gatedErrors(now, before) : none),
  ];
  if (semanticEqual(fixed(now, isGated), fixed(before, isGated))) return errors;
  return [...errors, forbiddenValue("spec", updateWhy)];
}
