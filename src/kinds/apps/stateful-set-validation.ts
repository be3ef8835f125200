// What StatefulSets say besides what all workloads do.
import { semanticEqual } from "../semantic-equal.ts";
import { claimSpec } from "../core/claim-validation.ts";
import { forbiddenValue, invalidValue } from "../field-checks.ts";
import { dnsLabel } from "../name-rules.ts";
import { always, atLeast, each, fields, given, holds, named, none, oneOf } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

const count = atLeast(0);
const retention = oneOf("Retain", "Delete");

/** Several at a time is a feature that is off: how many is not judged. */
const rolling = fields({ partition: count });

const strategy: Rule = (value, at) => {
  const { type, rollingUpdate } = value;
  if (type === "RollingUpdate") {
    return rollingUpdate ? rolling(rollingUpdate, `${at}.rollingUpdate`) : none;
  }
  if (type !== "OnDelete")
    return [invalidValue(at, value, "must be 'RollingUpdate' or 'OnDelete'")];
  const why = "only allowed for updateStrategy 'RollingUpdate'";
  return rollingUpdate ? [invalidValue(`${at}.rollingUpdate`, rollingUpdate, why)] : none;
};

const spec: Record<string, Rule> = {
  podManagementPolicy: holds(
    (order) => order === "OrderedReady" || order === "Parallel",
    "must be 'OrderedReady' or 'Parallel'",
  ),
  updateStrategy: strategy,
  persistentVolumeClaimRetentionPolicy: fields({ whenDeleted: retention, whenScaled: retention }),
  replicas: count,
  minReadySeconds: count,
  ordinals: fields({ start: count }),
};

export const statefulSet = fields({
  ...spec,
  volumeClaimTemplates: each(fields({ spec: always(claimSpec) })),
  serviceName: given(named(dnsLabel)),
});

const mutable = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
];
const listed = mutable.map((name) => `'${name}'`);
const updateWhy = `updates to statefulset spec for fields other than ${listed.slice(0, -1).join(", ")} and ${listed.at(-1)} are forbidden`;

const fixed = (one: any) =>
  Object.fromEntries(Object.entries(one).filter(([name]) => !mutable.includes(name)));

export const statefulSetUpdateErrors = (now: any, before: any): Errors =>
  semanticEqual(fixed(now), fixed(before)) ? none : [forbiddenValue("spec", updateWhy)];
