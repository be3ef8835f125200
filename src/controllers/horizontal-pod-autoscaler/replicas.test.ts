import assert from "node:assert/strict";
import { test } from "node:test";
import { groupPods, replicasForAverage, replicasForPods, replicasForValue } from "./replicas.ts";

const tolerance = { up: 0.1, down: 0.1 };
const now = Date.parse("2026-01-01T01:00:00Z");
const names = (count: number, prefix = "p") => Array.from({ length: count }, (_, i) => prefix + i);

/** Replicas for pods that use `values` where each should use 100. */
function wanted(
  values: number[],
  more: { unready?: number; missing?: number; current?: number } = {},
) {
  const counted = names(values.length);
  const unready = names(more.unready ?? 0, "u");
  const missing = names(more.missing ?? 0, "m");
  const all = [...counted, ...unready, ...missing];
  return replicasForPods(
    { counted, unready, missing },
    {
      values: new Map(counted.map((name, i) => [name, values[i]!])),
      targets: new Map(all.map((name) => [name, 100])),
    },
    { current: more.current ?? all.length, tolerance },
  );
}

const cases: [what: string, replicas: number | undefined, expected: number | undefined][] = [
  ["twice the use doubles them", wanted([200, 200]), 4],
  ["half the use halves them", wanted([50, 50, 50, 50]), 2],
  ["a little more is within the tolerance", wanted([109, 105]), 2],
  ["a little less is within the tolerance", wanted([95, 92]), 2],
  ["parts of a pod are a whole one", wanted([120, 120]), 3],
  ["starting pods soften a scale-up", wanted([300, 300], { unready: 2 }), 6],
  ["starting pods may stop a scale-up", wanted([150], { unready: 1 }), 2],
  ["pods without numbers are idle for a scale-up", wanted([400], { missing: 1 }), 4],
  ["pods without numbers are busy for a scale-down", wanted([10, 10], { missing: 2 }), 3],
  ["what is unknown never turns the direction", wanted([110, 115], { missing: 3 }), 5],
  ["without any numbers nothing is said", wanted([], { missing: 2 }), undefined],
];

for (const [what, replicas, expected] of cases) {
  test(what, () => assert.equal(replicas, expected));
}

test("a value as a whole scales those that are ready, an average shares it out", () => {
  assert.equal(replicasForValue(200, 100, { current: 3, ready: 3, tolerance }), 6);
  assert.equal(replicasForValue(105, 100, { current: 3, ready: 3, tolerance }), 3);
  assert.equal(replicasForValue(250, 100, { current: 0, ready: 0, tolerance }), 3);
  assert.equal(replicasForAverage(700, 100, { current: 3, tolerance }), 7);
  assert.equal(replicasForAverage(310, 100, { current: 3, tolerance }), 3);
  assert.equal(replicasForAverage(5, 100, { current: 0, tolerance }), 1);
});

const pod = (
  name: string,
  { phase = "Running", ready = "True", minutes = 30, changed = 30 } = {},
): any => ({
  metadata: { name },
  status: {
    phase,
    startTime: new Date(now - minutes * 60_000).toISOString(),
    conditions: [
      {
        type: "Ready",
        status: ready,
        lastTransitionTime: new Date(now - changed * 60_000).toISOString(),
      },
    ],
  },
});

test("pods are told apart: counted, starting, without numbers, gone", () => {
  const pods = [
    pod("old"),
    pod("pending", { phase: "Pending" }),
    pod("silent"),
    pod("young", { minutes: 1, changed: 1, ready: "False" }),
    pod("never", { minutes: 30, changed: 30, ready: "False" }),
    pod("was-ready", { minutes: 30, changed: 10, ready: "False" }),
    pod("failed", { phase: "Failed" }),
  ];
  const measured = new Set(["old", "pending", "young", "never", "was-ready", "failed"]);
  assert.deepEqual(groupPods(pods, measured, { isCpu: true, now }), {
    counted: ["old", "was-ready"],
    unready: ["pending", "young", "never"],
    missing: ["silent"],
  });
  const { counted } = groupPods(pods, measured, { isCpu: false, now });
  assert.deepEqual(counted, ["old", "young", "never", "was-ready"]);
});
