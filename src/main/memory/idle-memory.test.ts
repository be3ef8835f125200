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
    residentBytes: 100 * mebibyte,
    busyMs: 0,
    waitedMs: 0,
    collections: 0,
    gifts: 0,
  };
  keepIdleMemorySmall(clock, scope, {
    heapBytes: () => state.heapBytes,
    busyMs: () => state.busyMs,
    waitedMs: () => state.waitedMs,
    residentBytes: () => state.residentBytes,
    giveBack: async () => {
      state.gifts += 1;
      state.residentBytes = 50 * mebibyte;
    },
    collect: () => {
      state.collections += 1;
      state.heapBytes = 30 * mebibyte;
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

test("pages that are not needed are given back after a start, and when they have become more again", async () => {
  const { clock, scope, state } = process();
  await clock.advance(20_000);
  assert.equal(state.gifts, 1);
  // What is needed comes back at once.
  state.residentBytes = 60 * mebibyte;
  await clock.advance(400_000);
  assert.equal(state.gifts, 1);
  state.residentBytes = 69 * mebibyte;
  await clock.advance(60_000);
  assert.deepEqual([state.gifts, state.collections], [2, 1]);
  await scope.close();
});
