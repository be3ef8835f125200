import assert from "node:assert/strict";
import { test } from "node:test";
import { begun, pace } from "./behavior.ts";
import type { Behavior, History } from "./behavior.ts";

const now = 10_000_000;
const none: History = { wanted: [], up: [], down: [] };
const ago = (seconds: number, replicas: number) => ({ at: now - seconds * 1000, replicas });

const go = (
  current: number,
  wanted: number,
  more: { history?: Partial<History>; behavior?: Behavior; min?: number; max?: number } = {},
) =>
  pace(wanted, {
    current,
    min: more.min ?? 1,
    max: more.max ?? 100,
    behavior: more.behavior,
    history: { ...none, ...more.history },
    now,
  });

test("up goes at once, by four pods or to the double, whichever is more", () => {
  assert.equal(go(1, 3).replicas, 3);
  assert.equal(go(1, 50).replicas, 5);
  assert.equal(go(10, 50).replicas, 20);
  assert.equal(go(10, 50).limited?.reason, "ScaleUpLimit");
  assert.equal(go(9, 50, { history: { up: [ago(5, 4)] } }).replicas, 10, "5 were there 15 s ago");
});

test("down waits until nothing higher was wanted for five minutes", () => {
  const waits = go(10, 2, { history: { wanted: [ago(200, 8)] } });
  assert.deepEqual([waits.replicas, waits.stabilized], [8, "ScaleDownStabilized"]);
  assert.equal(go(10, 2, { history: { wanted: [ago(400, 8)] } }).replicas, 2);
});

test("what was there when it was first looked at stays for five minutes", () => {
  const wanted = begun([], 3, now - 10_000);
  assert.deepEqual(wanted, [ago(10, 3)]);
  assert.equal(go(3, 1, { history: { wanted } }).replicas, 3);
  assert.equal(go(3, 1, { history: { wanted: begun([], 3, now - 300_000) } }).replicas, 1);
  assert.equal(begun(wanted, 9, now), wanted);
});

test("the bounds hold, and say so", () => {
  const many = go(4, 9, { max: 5 });
  assert.deepEqual([many.replicas, many.limited?.reason], [5, "TooManyReplicas"]);
  const few = go(4, 0, { min: 2 });
  assert.deepEqual([few.replicas, few.limited?.reason], [2, "TooFewReplicas"]);
  assert.equal(go(4, 4).limited, undefined);
});

test("policies are the user's: the least of them, none at all, a window of their own", () => {
  const policies = [
    { type: "Pods" as const, value: 1, periodSeconds: 60 },
    { type: "Percent" as const, value: 50, periodSeconds: 60 },
  ];
  assert.equal(
    go(10, 0, { behavior: { scaleDown: { policies, stabilizationWindowSeconds: 0 } } }).replicas,
    5,
  );
  const least = { policies, selectPolicy: "Min" as const };
  assert.equal(go(10, 0, { behavior: { scaleDown: least } }).replicas, 9);
  assert.equal(go(10, 20, { behavior: { scaleUp: least } }).replicas, 11);
  assert.equal(go(10, 0, { behavior: { scaleDown: { selectPolicy: "Disabled" } } }).replicas, 10);
  const slow = { scaleUp: { stabilizationWindowSeconds: 60 } };
  const up = go(2, 4, { behavior: slow, history: { wanted: [ago(30, 3)] } });
  assert.deepEqual([up.replicas, up.stabilized], [3, "ScaleUpStabilized"]);
});
