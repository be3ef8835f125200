// What may be told of workloads: counts that fit together.
import { invalidValue } from "../field-checks.ts";
import type { Change } from "../kind.ts";
import { atLeast, fields, none } from "../rules.ts";
import type { Errors, Rule } from "../rules.ts";

const count = atLeast(0);
const counts = (...names: string[]) =>
  fields(Object.fromEntries(names.map((name) => [name, count])));

/** None of these is more than there are at all; what is available is ready. */
const partsOfAll =
  (names: string[], readyWhy: string): Rule =>
  (status, at) => {
    const { replicas = 0, readyReplicas = 0, availableReplicas = 0 } = status;
    const why = "cannot be greater than status.replicas";
    return [
      ...names.flatMap((name) =>
        (status[name] ?? 0) > replicas ? [invalidValue(`${at}.${name}`, status[name], why)] : none,
      ),
      ...(availableReplicas > readyReplicas
        ? [invalidValue(`${at}.availableReplicas`, availableReplicas, readyWhy)]
        : none),
    ];
  };

const replicaCounts = counts(
  "replicas",
  "fullyLabeledReplicas",
  "updatedReplicas",
  "currentReplicas",
  "readyReplicas",
  "availableReplicas",
  "unavailableReplicas",
  "terminatingReplicas",
  "observedGeneration",
  "collisionCount",
);
const plainWhy = "cannot be greater than readyReplicas";
const ofReplicas = (of: string, readyWhy = plainWhy): Rule => {
  const parts = partsOfAll([of, "readyReplicas", "availableReplicas"], readyWhy);
  return (status, at) => [...replicaCounts(status, at), ...parts(status, at)];
};

const deployment = ofReplicas("updatedReplicas");
const replicaSet = ofReplicas("fullyLabeledReplicas");
const statefulSet = ofReplicas("updatedReplicas", "cannot be greater than status.readyReplicas");
const statefulParts: Rule = ({ currentReplicas = 0, replicas = 0 }, at) =>
  currentReplicas > replicas
    ? [
        invalidValue(
          `${at}.currentReplicas`,
          currentReplicas,
          "cannot be greater than status.replicas",
        ),
      ]
    : none;

const daemonSet = counts(
  "currentNumberScheduled",
  "numberMisscheduled",
  "desiredNumberScheduled",
  "numberReady",
  "observedGeneration",
  "updatedNumberScheduled",
  "numberAvailable",
  "numberUnavailable",
  "collisionCount",
);

/** Names of revisions are made with it, so it only grows. */
function collisionErrors({ object, old }: Change): Errors {
  const [now, before] = [object.status?.collisionCount, old?.status?.collisionCount];
  if (before === undefined || (now !== undefined && now >= before)) return none;
  return [invalidValue("status.collisionCount", now ?? 0, "cannot be decremented")];
}

const judged =
  (rule: Rule) =>
  (change: Change): Errors => [
    ...rule(change.object.status ?? {}, "status"),
    ...collisionErrors(change),
  ];

export const deploymentStatusErrors = judged(deployment);
export const replicaSetStatusErrors = judged(replicaSet);
export const daemonSetStatusErrors = judged(daemonSet);
export const statefulSetStatusErrors = judged((status, at) => [
  ...statefulSet(status, at),
  ...statefulParts(status, at),
]);
