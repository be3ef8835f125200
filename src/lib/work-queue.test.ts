import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "./fake-clock.ts";
import { WorkQueue } from "./work-queue.ts";

function stage({ workers = 2, fails = 0 } = {}) {
  const clock = new FakeClock();
  const begun: string[] = [];
  const running = new Map<string, () => void>();
  let failures = fails;
  const queue = new WorkQueue({
    clock,
    workers,
    work: async (key) => {
      begun.push(`${key}@${clock.monotonic()}`);
      if (failures-- > 0) throw new Error("not yet");
      await new Promise<void>((resolve) => running.set(key, resolve));
      running.delete(key);
    },
  });
  const end = async (key: string) => {
    running.get(key)!();
    await clock.advance(0);
  };
  return { clock, begun, queue, end };
}

test("a key that waits is there once; one added while it is worked on comes again, not twice at once", async () => {
  const { clock, begun, queue, end } = stage();
  queue.add("a");
  queue.add("a");
  await clock.advance(0);
  assert.deepEqual(begun, ["a@0"]);
  queue.add("a");
  queue.add("a");
  await clock.advance(0);
  assert.deepEqual(begun, ["a@0"]);
  await end("a");
  assert.deepEqual(begun, ["a@0", "a@0"]);
  await end("a");
  assert.equal(begun.length, 2);
});

test("no more keys are worked on at once than there are workers", async () => {
  const { clock, begun, queue, end } = stage({ workers: 2 });
  for (const key of ["a", "b", "c"]) queue.add(key);
  await clock.advance(0);
  assert.deepEqual(begun, ["a@0", "b@0"]);
  await end("b");
  assert.deepEqual(begun, ["a@0", "b@0", "c@0"]);
});

test("a key that fails comes back after doubling delays", async () => {
  const { clock, begun, queue } = stage({ fails: 4 });
  queue.add("a");
  await clock.advance(1000);
  assert.deepEqual(begun, ["a@0", "a@5", "a@15", "a@35", "a@75"]);
});

test("of two delays of a key the earlier counts", async () => {
  const { clock, begun, queue } = stage();
  queue.addAfter("a", 100);
  queue.addAfter("a", 50);
  queue.addAfter("a", 80);
  await clock.advance(200);
  assert.deepEqual(begun, ["a@50"]);
});

test("stopped, it begins nothing and waits for what runs", async () => {
  const { clock, begun, queue, end } = stage({ workers: 1 });
  queue.add("a");
  queue.add("b");
  queue.addAfter("c", 10);
  await clock.advance(0);
  let stopped = false;
  void queue.stop().then(() => (stopped = true));
  await clock.advance(100);
  assert.equal(stopped, false);
  await end("a");
  assert.equal(stopped, true);
  assert.deepEqual(begun, ["a@0"]);
});
