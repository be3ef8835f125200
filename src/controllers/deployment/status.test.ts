import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { conditionOf } from "../pod-state.ts";
import { deploymentStatus } from "./status.ts";
import type { Rollout } from "./status.ts";

const start = Date.UTC(2026, 0, 1);
const iso = (ms: number) => new Date(ms).toISOString().replace(".000Z", "Z");
const metadata = (name: string) => ({
  name,
  uid: name,
  resourceVersion: "1",
  generation: 3,
  creationTimestamp: iso(start),
});
const deployment = (spec: object = {}, status: object = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: metadata("web"),
  spec: { replicas: 2, progressDeadlineSeconds: 60, ...spec },
  status,
});
const set = (name: string, replicas: number, available: number): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: metadata(name),
  spec: { replicas },
  status: { replicas, readyReplicas: available, availableReplicas: available },
});
const look = (rollout: Partial<Rollout> & { deployment: KubeObject }, atMs = 0) =>
  deploymentStatus({
    newSet: undefined,
    sets: rollout.newSet ? [rollout.newSet] : [],
    now: start + atMs,
    time: iso(start + atMs),
    ...rollout,
  });
const progressing = ({ status }: ReturnType<typeof look>) => {
  const condition = conditionOf({ status } as never, "Progressing");
  return condition && `${condition.status} ${condition.reason}: ${condition.message}`;
};

test("counts are summed over all sets; updated ones are those of the new set", () => {
  const newSet = set("new", 1, 1);
  const { status } = look({ deployment: deployment(), newSet, sets: [newSet, set("old", 2, 1)] });
  const { conditions: _, ...counts } = status;
  assert.deepEqual(counts, {
    observedGeneration: 3,
    replicas: 3,
    updatedReplicas: 1,
    readyReplicas: 2,
    availableReplicas: 2,
    unavailableReplicas: 1,
    terminatingReplicas: 0,
  });
});

test("from its creation to its end a rollout tells how it goes", () => {
  const created = look({ deployment: deployment(), newSet: set("new", 2, 0), created: true });
  assert.equal(progressing(created), 'True NewReplicaSetCreated: Created new replica set "new"');
  const moving = look({ deployment: deployment({}, created.status), newSet: set("new", 2, 1) });
  assert.equal(progressing(moving), 'True ReplicaSetUpdated: ReplicaSet "new" is progressing.');
  const done = look({ deployment: deployment({}, moving.status), newSet: set("new", 2, 2) });
  assert.equal(
    progressing(done),
    'True NewReplicaSetAvailable: ReplicaSet "new" has successfully progressed.',
  );
  assert.equal(done.wakeAfterMs, undefined);
});

test("a rollout that does not move misses its deadline, and recovers when it moves", () => {
  const newSet = set("new", 2, 0);
  const first = look({ deployment: deployment(), newSet, created: true });
  assert.equal(first.wakeAfterMs, 61_000);
  const still = look({ deployment: deployment({}, first.status), newSet }, 59_000);
  assert.match(progressing(still)!, /^True /);
  assert.equal(still.wakeAfterMs, 2000);
  const late = look({ deployment: deployment({}, still.status), newSet }, 61_000);
  assert.equal(
    progressing(late),
    'False ProgressDeadlineExceeded: ReplicaSet "new" has timed out progressing.',
  );
  const again = look({ deployment: deployment({}, late.status), newSet: set("new", 2, 1) }, 90_000);
  assert.match(progressing(again)!, /^True ReplicaSetUpdated/);
});

test("without a deadline nothing is said of progress", () => {
  const spec = { progressDeadlineSeconds: 2 ** 31 - 1 };
  const status = look({ deployment: deployment(spec), newSet: set("new", 2, 0) });
  assert.equal(progressing(status), undefined);
});

test("pausing and resuming are told", () => {
  const newSet = set("new", 2, 1);
  const paused = look({ deployment: deployment({ paused: true }), newSet });
  assert.equal(progressing(paused), "Unknown DeploymentPaused: Deployment is paused");
  const resumed = look({ deployment: deployment({}, paused.status), newSet });
  assert.equal(progressing(resumed), "Unknown DeploymentResumed: Deployment is resumed");
});

test("available is what has all but maxUnavailable of its replicas", () => {
  const strategy = { rollingUpdate: { maxUnavailable: 1, maxSurge: 0 } };
  for (const [available, expected] of [
    [0, "False"],
    [1, "True"],
  ] as const) {
    const newSet = set("new", 2, available);
    const { status } = look({ deployment: deployment({ strategy }), newSet });
    assert.equal(conditionOf({ status } as never, "Available")?.status, expected);
  }
});

test("a set that cannot make its pods is told of, as long as it cannot", () => {
  const failing = set("new", 2, 0);
  failing.status.conditions = [
    { type: "ReplicaFailure", status: "True", reason: "FailedCreate", message: "exceeded quota" },
  ];
  const { status } = look({ deployment: deployment(), newSet: failing });
  assert.equal(conditionOf({ status } as never, "ReplicaFailure")?.message, "exceeded quota");
  const better = look({ deployment: deployment({}, status), newSet: set("new", 2, 0) });
  assert.equal(conditionOf({ status: better.status } as never, "ReplicaFailure"), undefined);
});
