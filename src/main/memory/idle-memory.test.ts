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
    collections: { young: 0, all: 0, thorough: 0 },
    gifts: 0,
  };
  keepIdleMemorySmall(clock, scope, {
    heapBytes: () => state.heapBytes,
    busyMs: () => state.busyMs,
    waitedMs: () => state.waitedMs,
    giveBack: async () => {
      state.gifts += 1;
    },
    collect: (which) => {
      state.collections[which] += 1;
      state.heapBytes = which === "young" ? state.heapBytes - state.youngBytes : 30 * mebibyte;
      state.youngBytes = 0;
    },
  });
  return { clock, scope, state };
}

test("what the start left behind is collected when the process is idle, and once", async () => {
  const { clock, scope, state } = process();
  await clock.advance(60_000);
  assert.equal(state.collections.thorough, 1);
  state.heapBytes += mebibyte;
  await clock.advance(600_000);
  assert.equal(state.collections.thorough, 1);
  await scope.close();
});

test("whoever is served does not wait for a collection; what a busy time left is collected after it", async () => {
  const { clock, scope, state } = process();
  await clock.advance(300_000);
  assert.equal(state.collections.thorough, 1);
  state.heapBytes = 300 * mebibyte;
  for (let i = 0; i < 50; i++) {
    state.busyMs += 5000;
    await clock.advance(10_000);
  }
  assert.equal(state.collections.thorough, 1);
  // A breath between two requests is no quiet time.
  await clock.advance(10_000);
  assert.equal(state.collections.thorough, 1);
  await clock.advance(10_000);
  assert.equal(state.collections.thorough, 2);
  assert.equal(state.collections.all, 0);
  await scope.close();
});

/** A look's time in which it did little, and had to wait for a processor for most of that. */
async function passWaiting({ clock, state }: ReturnType<typeof process>, looks: number) {
  for (let i = 0; i < looks; i++) {
    state.busyMs += 100;
    state.waitedMs += 400;
    await clock.advance(10_000);
  }
}

test("where others want the processors the short collection is done, and not again for nothing", async () => {
  const all = process();
  const { clock, scope, state } = all;
  await passWaiting(all, 60);
  assert.deepEqual(state.collections, { young: 1, all: 1, thorough: 0 });
  // When they want them no more, the thorough one finds what the short one left.
  await clock.advance(20_000);
  assert.equal(state.collections.thorough, 1);
  await scope.close();
});

test("a little that is always asked stands still for a moment every five minutes, and no more", async () => {
  const all = process();
  const { clock, scope, state } = all;
  for (let i = 0; i < 60; i++) {
    state.heapBytes += 5 * mebibyte;
    state.busyMs += 200;
    await clock.advance(10_000);
  }
  assert.equal(state.collections.thorough, 2);
  for (let i = 0; i < 60; i++) {
    state.heapBytes += 5 * mebibyte;
    await passWaiting(all, 1);
  }
  assert.equal(state.collections.thorough + state.collections.all, 4);
  await scope.close();
});

test("a process that ends collects no more", async () => {
  const { clock, scope, state } = process();
  await scope.close();
  await clock.advance(60_000);
  assert.deepEqual(state.collections, { young: 0, all: 0, thorough: 0 });
});

test("what a busy moment took is given back within ten seconds, also where others want the processors", async () => {
  const all = process();
  const { scope, state } = all;
  await passWaiting(all, 3);
  assert.deepEqual([state.collections.young, state.gifts], [1, 3]);
  state.youngBytes = 14 * mebibyte;
  state.heapBytes += state.youngBytes;
  const before = state.heapBytes;
  await passWaiting(all, 1);
  assert.deepEqual([state.collections.young, state.gifts], [2, 4]);
  assert.equal(state.heapBytes, before - 14 * mebibyte);
  await scope.close();
});

test("a heap that grows by a little at every look is collected when that has become something", async () => {
  const { clock, scope, state } = process();
  await clock.advance(60_000);
  const before = state.collections.young;
  for (let i = 0; i < 4; i++) {
    state.youngBytes += mebibyte;
    state.heapBytes += mebibyte;
    await clock.advance(10_000);
  }
  assert.equal(state.collections.young, before + 2);
  await scope.close();
});

test("nothing is taken from who is served", async () => {
  const { clock, scope, state } = process();
  for (let i = 0; i < 10; i++) {
    state.busyMs += 5000;
    await clock.advance(10_000);
  }
  assert.deepEqual([state.collections, state.gifts], [{ young: 0, all: 0, thorough: 0 }, 0]);
  await scope.close();
});
