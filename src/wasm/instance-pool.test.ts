import assert from "node:assert/strict";
import { test } from "node:test";
import { InstancePool } from "./instance-pool.ts";
import type { PoolOptions, Slot } from "./instance-pool.ts";

function poolOf(options: Partial<PoolOptions<number>> = {}) {
  let made = 0;
  const pool = new InstancePool<number>({
    make: () => ++made,
    instancesMax: 2,
    readyMin: 1,
    usesMax: 100,
    waitingMax: 1,
    bytesMax: Infinity,
    weigh: () => 1,
    ...options,
  });
  return { pool, made: () => made, take: () => pool.take() as Slot<number> };
}

test("an instance is used again, and another is made only for what comes meanwhile", () => {
  const { pool, take } = poolOf();
  for (let i = 0; i < 3; i++) {
    const slot = take();
    assert.equal(slot.instance, 1);
    pool.give(slot, true);
  }
  assert.deepEqual([take().instance, take().instance], [1, 2]);
});

test("whoever finds no instance waits for one, and at most so many do", async () => {
  const { pool, take } = poolOf();
  const [one] = [take(), take()];
  const waiting = pool.take() as Promise<Slot<number>>;
  assert.equal(pool.take(), undefined);
  pool.give(one, true);
  assert.equal((await waiting).instance, 1);
});

test("one that waits and goes away takes nobody's place", async () => {
  const { pool, take } = poolOf({ instancesMax: 1 });
  const slot = take();
  const gone = new AbortController();
  const waiting = pool.take(gone.signal) as Promise<Slot<number>>;
  gone.abort();
  await assert.rejects(waiting);
  pool.give(slot, true);
  assert.equal(take().instance, 1);
});

test("an instance that trapped, or was used often enough, is replaced", async () => {
  const { pool, take } = poolOf({ instancesMax: 1, usesMax: 2 });
  pool.give(take(), false);
  const second = take();
  pool.give(second, true);
  const waiting = (take(), pool.take() as Promise<Slot<number>>);
  pool.give(second, true);
  assert.equal((await waiting).instance, 3);
});

test("instances are made ahead, and those that nobody needed go", () => {
  const { pool, made, take } = poolOf({ instancesMax: 8, readyMin: 2 });
  assert.equal(made(), 2);
  const all = Array.from({ length: 5 }, take);
  for (const one of all) pool.give(one, true);
  pool.trim();
  assert.equal(pool.size, 5, "they were needed a moment ago");
  pool.trim();
  assert.equal(pool.size, 2);
});

test("no instance is added whose memory would not fit", () => {
  const { pool, take } = poolOf({ bytesMax: 25, weigh: () => 10, instancesMax: 9, readyMin: 5 });
  assert.equal(pool.size, 2);
  const both = [take(), take()];
  assert.ok(pool.take() instanceof Promise);
  assert.deepEqual(
    both.map(({ instance }) => instance),
    [2, 1],
  );
});
