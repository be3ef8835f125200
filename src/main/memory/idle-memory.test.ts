import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { Scope } from "../../lib/scope.ts";
import { keepIdleMemorySmall } from "./idle-memory.ts";

const mebibyte = 2 ** 20;

function process() {
  const clock = new FakeClock();
  const scope = new Scope();
  const state = {
    heapBytes: 50 * mebibyte,
    youngBytes: 0,
    busyMs: 0,
    waitedMs: 0,
    collections: 0,
    youngCollections: 0,
    gifts: 0,
  };
  keepIdleMemorySmall(clock, scope, {
    heapBytes: () => state.heapBytes,
    busyMs: () => state.busyMs,
    waitedMs: () => state.waitedMs,
    giveBack: async () => {
      state.gifts += 1;
    },
    collect: () => {
      state.collections += 1;
      state.heapBytes = 30 * mebibyte;
    },
    collectYoung: () => {
      state.youngCollections += 1;
      state.heapBytes -= state.youngBytes;
      state.youngBytes = 0;
    },
  });
  return { clock, scope, state };
}

test("what the start left behind is collected when the process is idle, and once", async () => {
  const { clock, scope, state } = process();
  await clock.advance(60_000);
  assert.equal(state.collections, 1);
  state.heapBytes += 2 * mebibyte;
  await clock.advance(60_000);
  assert.equal(state.collections, 1);
  await scope.close();
});

test("whoever is served does not wait for a collection; what a busy time left is collected after it", async () => {
  const { clock, scope, state } = process();
  await clock.advance(300_000);
  assert.equal(state.collections, 1);
  state.heapBytes = 300 * mebibyte;
  for (let i = 0; i < 50; i++) {
    state.busyMs += 5000;
    await clock.advance(10_000);
  }
  assert.equal(state.collections, 1);
  // A breath between two requests is no quiet time.
  await clock.advance(10_000);
  assert.equal(state.collections, 1);
  await clock.advance(10_000);
  assert.equal(state.collections, 2);
  await scope.close();
});

test("where others want the processors, nothing stands still for a collection", async () => {
  const { clock, scope, state } = process();
  for (let i = 0; i < 60; i++) {
    state.busyMs += 100;
    state.waitedMs += 400;
    await clock.advance(10_000);
  }
  assert.equal(state.collections, 0);
  for (let i = 0; i < 2; i++) {
    state.busyMs += 100;
    state.waitedMs += 10;
    await clock.advance(10_000);
  }
  assert.equal(state.collections, 1);
  await scope.close();
});

test("a little that is always asked stands still for a moment every five minutes, and no more", async () => {
  const { clock, scope, state } = process();
  for (let i = 0; i < 60; i++) {
    state.heapBytes += 5 * mebibyte;
    state.busyMs += 200;
    await clock.advance(10_000);
  }
  assert.equal(state.collections, 2);
  await scope.close();
});

test("a process that ends collects no more", async () => {
  const { clock, scope, state } = process();
  await scope.close();
  await clock.advance(60_000);
  assert.equal(state.collections, 0);
});

test("what a busy moment took is given back within ten seconds, also where others want the processors", async () => {
  const { clock, scope, state } = process();
  const waitAMoment = async () => {
    state.busyMs += 100;
    state.waitedMs += 400;
    await clock.advance(10_000);
  };
  await waitAMoment();
  assert.deepEqual([state.youngCollections, state.gifts], [1, 1]);
  await waitAMoment();
  assert.deepEqual([state.youngCollections, state.gifts], [1, 2]);
  state.youngBytes = 14 * mebibyte;
  state.heapBytes += state.youngBytes;
  await waitAMoment();
  assert.deepEqual([state.youngCollections, state.gifts], [2, 3]);
  assert.equal(state.heapBytes, 50 * mebibyte);
  assert.equal(state.collections, 0);
  await scope.close();
});

test("a heap that grows by a little at every look is collected when that has become something", async () => {
  const { clock, scope, state } = process();
  await clock.advance(60_000);
  const before = state.youngCollections;
  for (let i = 0; i < 4; i++) {
    state.youngBytes += mebibyte;
    state.heapBytes += mebibyte;
    await clock.advance(10_000);
  }
  assert.equal(state.youngCollections, before + 2);
  await scope.close();
});

test("nothing is taken from who is served", async () => {
  const { clock, scope, state } = process();
  for (let i = 0; i < 10; i++) {
    state.busyMs += 5000;
    await clock.advance(10_000);
  }
  assert.deepEqual([state.youngCollections, state.collections, state.gifts], [0, 0, 0]);
  await scope.close();
});
