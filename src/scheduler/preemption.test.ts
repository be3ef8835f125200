import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "../lib/random.ts";
import { info, node, snapshotOf } from "./fixtures.ts";
import { plan } from "./plan.ts";
import type { PodInfo } from "./pod-info.ts";
import { disruptionBudget } from "./preemption.ts";

const sized = (name: string, cpu: string, priority: number, labels = {}) =>
  info(name, { labels, requests: { cpu }, spec: { priority } });

const names = (pods: PodInfo[] | undefined) => pods?.map(({ name }) => name).sort();

function preempt(
  pod: PodInfo,
  placed: Record<string, PodInfo[]>,
  budgets: Parameters<typeof disruptionBudget>[0][] = [],
) {
  const snapshot = snapshotOf(
    Object.keys(placed).map((name) => node(name)),
    placed,
  );
  const before = snapshot.pods.size;
  const result = plan(pod, snapshot, seededRandom(1), {
    budgets: () => budgets.map((budget) => disruptionBudget(budget)),
  });
  assert.equal(snapshot.pods.size, before, "the snapshot is left as it was");
  assert.ok("unschedulable" in result);
  return result;
}

test("no more victims are chosen than must go, the least important ones", () => {
  const { preemption } = preempt(sized("new", "2", 10), {
    a: [sized("low", "2", 1), sized("lower", "2", 0)],
  });
  assert.deepEqual(names(preemption?.victims), ["lower"]);
});

test("the node with the least important victims is chosen", () => {
  const { preemption } = preempt(sized("new", "4", 10), {
    a: [sized("middle", "4", 5)],
    b: [sized("low", "4", 1)],
  });
  assert.equal(preemption?.node, "b");
});

test("a node where no budget is broken is preferred", () => {
  const budget = {
    apiVersion: "policy/v1",
    kind: "PodDisruptionBudget",
    metadata: {
      name: "kept",
      namespace: "default",
      uid: "b",
      resourceVersion: "1",
      creationTimestamp: "",
    },
    spec: { selector: { matchLabels: { app: "kept" } } },
    status: { disruptionsAllowed: 0 },
  };
  const { preemption } = preempt(
    sized("new", "4", 10),
    { a: [sized("covered", "4", 1, { app: "kept" })], b: [sized("free", "4", 5)] },
    [budget],
  );
  assert.equal(preemption?.node, "b");
});

test("equals are never preempted", () => {
  const { preemption, unschedulable } = preempt(sized("new", "4", 5), {
    a: [sized("old", "4", 5)],
  });
  assert.equal(preemption, undefined);
  assert.match(unschedulable.message, /1 No preemption victims found for incoming pod\.$/);
});

test("a pod whose policy is Never makes nobody go", () => {
  const pod = info("new", {
    requests: { cpu: "4" },
    spec: { priority: 10, preemptionPolicy: "Never" },
  });
  const { preemption, unschedulable } = preempt(pod, { a: [sized("old", "4", 0)] });
  assert.equal(preemption, undefined);
  assert.match(unschedulable.message, /preemption: not eligible due to preemptionPolicy=Never\.$/);
});
