import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../lib/fake-clock.ts";
import { info } from "./fixtures.ts";
import { SchedulingQueue } from "./queue.ts";

const queueOf = (clock = new FakeClock()) => {
  const ready: number[] = [];
  const queue = new SchedulingQueue(clock, () => ready.push(clock.monotonic()));
  return { clock, queue, ready };
};

test("the most important pod comes first, then the oldest", () => {
  const { queue } = queueOf();
  queue.add(info("first"));
  queue.add(info("second"));
  queue.add(info("urgent", { spec: { priority: 1 } }));
  const order = [queue.pop(), queue.pop(), queue.pop()].map((pod) => pod?.info.name);
  assert.deepEqual(order, ["urgent", "first", "second"]);
  assert.equal(queue.pop(), undefined);
});

test("a parked pod wakes for an event that may help, after its back-off", async () => {
  const { clock, queue, ready } = queueOf();
  queue.add(info("pod"));
  queue.park(queue.pop()!, new Set(["node"] as const));
  queue.wake("pod-removed");
  await clock.advance(20_000);
  assert.equal(queue.pop(), undefined);
  queue.wake("node");
  const again = queue.pop()!;
  assert.equal(again.info.name, "pod");
  queue.park(again, new Set(["node"] as const));
  queue.wake("node");
  assert.equal(queue.pop(), undefined);
  await clock.advance(2000);
  assert.equal(ready.length, 1);
  assert.ok(queue.pop());
});

test("a parked pod is tried again in the end though no event came", async () => {
  const { clock, queue } = queueOf();
  queue.add(info("pod"));
  queue.park(queue.pop()!, new Set());
  await clock.advance(6 * 60_000);
  assert.ok(queue.pop());
});

test("a gated pod waits for its gates and a removed one never comes", () => {
  const { queue } = queueOf();
  const gated = info("gated", { spec: { schedulingGates: [{ name: "quota" }] } });
  queue.add(gated);
  assert.equal(queue.pop(), undefined);
  queue.add(info("gated"));
  queue.remove(gated.uid);
  assert.equal(queue.pop(), undefined);
  assert.equal(queue.size, 0);
});

test("a parked pod is tried again once the claims that are made for it are known", async () => {
  const { clock, queue } = queueOf();
  queue.add(info("pod"));
  queue.park(queue.pop()!, new Set(["device"] as const));
  await clock.advance(20_000);
  const waits = { conditions: [{ type: "PodScheduled", status: "False" }] };
  queue.add(info("pod", { status: waits }));
  assert.equal(queue.pop(), undefined);
  const resourceClaimStatuses = [{ name: "it", resourceClaimName: "pod-it" }];
  queue.add(info("pod", { status: { ...waits, resourceClaimStatuses } }));
  assert.ok(queue.pop());
});
