// What a Deployment says of itself: counts, whether it is available, whether its rollout moves. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { conditionOf, withCondition } from "../pod-state.ts";
import type { Condition } from "../pod-state.ts";
import { replicasOf, rollingLimits, isRolling, sum } from "./plan.ts";

/** progressDeadlineSeconds that means "never". */
const noDeadlineSeconds = 2 ** 31 - 1;

const field = (name: string) => (set: KubeObject) => (set.status?.[name] ?? 0) as number;

export interface Rollout {
  deployment: KubeObject;
  newSet: KubeObject | undefined;
  sets: KubeObject[];
  /** The new set was made just now. */
  created?: boolean;
  /** Wall clock. */
  now: number;
  time: string;
}

function counts({ deployment, newSet, sets }: Rollout) {
  const available = sum(sets, field("availableReplicas"));
  const total = sum(sets, replicasOf);
  return {
    observedGeneration: deployment.metadata.generation,
    replicas: sum(sets, field("replicas")),
    updatedReplicas: newSet ? field("replicas")(newSet) : 0,
    readyReplicas: sum(sets, field("readyReplicas")),
    availableReplicas: available,
    unavailableReplicas: Math.max(0, total - available),
    terminatingReplicas: sum(sets, field("terminatingReplicas")),
  };
}

type Counts = ReturnType<typeof counts>;

const isComplete = (deployment: KubeObject, now: Counts) =>
  now.updatedReplicas === replicasOf(deployment) &&
  now.replicas === replicasOf(deployment) &&
  now.availableReplicas === replicasOf(deployment);

function hasProgressed(was: any, now: Counts) {
  const old = (status: any) => (status?.replicas ?? 0) - (status?.updatedReplicas ?? 0);
  return (
    now.updatedReplicas > (was?.updatedReplicas ?? 0) ||
    old(now) < old(was) ||
    now.readyReplicas > (was?.readyReplicas ?? 0) ||
    now.availableReplicas > (was?.availableReplicas ?? 0)
  );
}

function availability(deployment: KubeObject, now: Counts): Condition {
  const unavailable = isRolling(deployment) ? rollingLimits(deployment).unavailable : 0;
  const enough = now.availableReplicas >= replicasOf(deployment) - unavailable;
  return enough
    ? {
        type: "Available",
        status: "True",
        reason: "MinimumReplicasAvailable",
        message: "Deployment has minimum availability.",
      }
    : {
        type: "Available",
        status: "False",
        reason: "MinimumReplicasUnavailable",
        message: "Deployment does not have minimum availability.",
      };
}

const deadlineMsOf = (deployment: KubeObject) => {
  const seconds: number = deployment.spec.progressDeadlineSeconds ?? 600;
  return seconds >= noDeadlineSeconds ? Number.POSITIVE_INFINITY : seconds * 1000;
};

function progress(rollout: Rollout, now: Counts): Condition | undefined {
  const { deployment, newSet } = rollout;
  const before = conditionOf(deployment, "Progressing");
  const what = newSet
    ? `ReplicaSet "${newSet.metadata.name}"`
    : `Deployment "${deployment.metadata.name}"`;
  const say = (status: Condition["status"], reason: string, message: string): Condition => ({
    type: "Progressing",
    status,
    reason,
    message,
    lastUpdateTime: rollout.time,
  });
  if (deadlineMsOf(deployment) === Number.POSITIVE_INFINITY) return undefined;
  if (deployment.spec.paused) {
    return before?.reason === "DeploymentPaused"
      ? before
      : say("Unknown", "DeploymentPaused", "Deployment is paused");
  }
  if (before?.reason === "DeploymentPaused") {
    return say("Unknown", "DeploymentResumed", "Deployment is resumed");
  }
  if (isComplete(deployment, now)) {
    return before?.reason === "NewReplicaSetAvailable" && before.message?.startsWith(what)
      ? before
      : say("True", "NewReplicaSetAvailable", `${what} has successfully progressed.`);
  }
  if (rollout.created) {
    return say(
      "True",
      "NewReplicaSetCreated",
      `Created new replica set "${newSet?.metadata.name}"`,
    );
  }
  if (
    !before ||
    hasProgressed(deployment.status, now) ||
    before.reason === "NewReplicaSetAvailable"
  ) {
    return say("True", "ReplicaSetUpdated", `${what} is progressing.`);
  }
  const since = Date.parse(String(before["lastUpdateTime"] ?? "")) || rollout.now;
  if (before.status !== "False" && rollout.now - since > deadlineMsOf(deployment)) {
    return say("False", "ProgressDeadlineExceeded", `${what} has timed out progressing.`);
  }
  return before;
}

/** The new status, and in how many milliseconds the deadline has to be looked at again. */
export function deploymentStatus(rollout: Rollout) {
  const { deployment, sets, time } = rollout;
  const now = counts(rollout);
  let conditions: Condition[] = deployment.status?.conditions ?? [];
  const available = availability(deployment, now);
  const known = conditions.find(({ type }) => type === "Available");
  if (known?.status !== available.status) {
    conditions = withCondition(conditions, { ...available, lastUpdateTime: time }, time);
  }
  const progressing = progress(rollout, now);
  conditions = progressing
    ? withCondition(conditions, progressing, time)
    : conditions.filter(({ type }) => type !== "Progressing");
  const failing = sets
    .map((set) => conditionOf(set, "ReplicaFailure"))
    .find((c) => c !== undefined);
  conditions = failing
    ? withCondition(conditions, { ...failing, lastUpdateTime: time }, time)
    : conditions.filter(({ type }) => type !== "ReplicaFailure");
  const waits =
    progressing?.status !== "False" && !isComplete(deployment, now) && !deployment.spec.paused;
  const since = Date.parse(String(progressing?.["lastUpdateTime"] ?? "")) || rollout.now;
  const deadlineMs = Math.max(0, since + deadlineMsOf(deployment) - rollout.now);
  return {
    status: {
      ...now,
      ...(deployment.status?.collisionCount && {
        collisionCount: deployment.status.collisionCount,
      }),
      conditions,
    },
    wakeAfterMs: waits && Number.isFinite(deadlineMs) ? deadlineMs + 1000 : undefined,
  };
}
