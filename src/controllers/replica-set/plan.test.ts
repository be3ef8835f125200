import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { planReplicas, replicaStatus } from "./plan.ts";

const now = Date.UTC(2026, 0, 1, 12);
const time = "2026-01-01T12:00:00Z";
const set = (replicas: number, more: object = {}): KubeObject => ({
  apiVersion: "apps/v1",
  kind: "ReplicaSet",
  metadata: { name: "web", uid: "1", resourceVersion: "1", creationTimestamp: time, generation: 2 },
  spec: { replicas, template: { metadata: { labels: { app: "web" } } }, ...more },
});

interface PodFixture {
  node?: string;
  phase?: string;
  ready?: boolean;
  /** Seconds since it became ready. */
  since?: number;
  cost?: string;
  restarts?: number;
  age?: number;
  deleting?: boolean;
}

function pod(name: string, fixture: PodFixture = {}): KubeObject {
  const { node = "n", phase = "Running", ready = true, since = 60, age = 60 } = fixture;
  const { cost, deleting, restarts: restartCount = 0 } = fixture;
  const ago = (seconds: number) => new Date(now - seconds * 1000).toISOString();
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      uid: name,
      resourceVersion: "1",
      creationTimestamp: ago(age),
      labels: { app: "web" },
      ...(cost && { annotations: { "controller.kubernetes.io/pod-deletion-cost": cost } }),
      ...(deleting && { deletionTimestamp: time }),
    },
    spec: { nodeName: node || undefined },
    status: {
      phase,
      conditions: [
        { type: "Ready", status: ready ? "True" : "False", lastTransitionTime: ago(since) },
      ],
      containerStatuses: [{ restartCount }],
    },
  };
}

test("as many pods are made as are missing; those that end or have ended do not count", () => {
  const pods = [pod("a"), pod("b", { deleting: true }), pod("c", { phase: "Succeeded" })];
  assert.deepEqual(planReplicas(set(3), pods), { create: 2, delete: [] });
  assert.deepEqual(planReplicas(set(1), pods), { create: 0, delete: [] });
  assert.equal(planReplicas(set(10_000), []).create, 500);
});

const firstToGo: [why: string, goes: PodFixture, stays: PodFixture][] = [
  ["without a node", { node: "" }, {}],
  ["pending", { phase: "Pending" }, {}],
  ["not ready", { ready: false }, {}],
  ["cheap to delete", { cost: "-5" }, {}],
  ["cheaper than a dear one", {}, { cost: "10" }],
  ["ready for a shorter time", { since: 5 }, { since: 500 }],
  ["restarted more often", { restarts: 3 }, {}],
  ["younger", { age: 5 }, { age: 500 }],
  ["not ready, though dear", { ready: false, cost: "10" }, {}],
];
for (const [why, goes, stays] of firstToGo) {
  test(`of two pods the one goes first that is ${why}`, () => {
    for (const pods of [
      [pod("x", goes), pod("y", stays)],
      [pod("y", stays), pod("x", goes)],
    ]) {
      const plan = planReplicas(set(1), pods);
      assert.deepEqual(
        plan.delete.map(({ metadata }) => metadata.name),
        ["x"],
      );
    }
  });
}

test("crowded nodes are relieved first", () => {
  const pods = [pod("a", { node: "1" }), pod("b", { node: "2" }), pod("c", { node: "2", age: 90 })];
  assert.deepEqual(
    planReplicas(set(2), pods).delete.map(({ metadata }) => metadata.name),
    ["b"],
  );
});

test("the status counts ready and available pods, and says when the next becomes available", () => {
  const pods = [
    pod("a", { since: 100 }),
    pod("b", { since: 20 }),
    pod("c", { ready: false }),
    pod("d", { deleting: true }),
  ];
  const { status, wakeAfterMs } = replicaStatus(set(3, { minReadySeconds: 30 }), pods, {
    now,
    time,
  });
  assert.deepEqual(status, {
    replicas: 3,
    fullyLabeledReplicas: 3,
    readyReplicas: 2,
    availableReplicas: 1,
    terminatingReplicas: 1,
    observedGeneration: 2,
    conditions: [],
  });
  assert.equal(wakeAfterMs, 10_000);
});

test("a failure stands in the conditions until it is over", () => {
  const failure = { reason: "FailedCreate", message: "exceeded quota" };
  const failed = { ...set(1), ...replicaStatus(set(1), [], { now, time, failure }) };
  assert.deepEqual(failed.status.conditions, [
    { type: "ReplicaFailure", status: "True", lastTransitionTime: time, ...failure },
  ]);
  const again = { reason: "FailedCreate", message: "exceeded quota, for another pod" };
  const { conditions } = replicaStatus(failed, [], { now, time, failure: again }).status;
  assert.deepEqual(conditions, failed.status.conditions);
  assert.deepEqual(replicaStatus(failed, [], { now, time }).status.conditions, []);
});
