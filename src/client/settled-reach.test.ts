import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../lib/fake-clock.ts";
import { Scope } from "../lib/scope.ts";
import { settledReach } from "./settled-reach.ts";

function link() {
  const [clock, scope] = [new FakeClock(), new Scope()];
  const listeners = new Set<() => void>();
  const state = { away: false };
  const reach = {
    isAway: () => state.away,
    onChange: (listener: () => void) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
  const set = (away: boolean) => {
    state.away = away;
    for (const listener of listeners) listener();
  };
  const settled = settledReach(reach, { clock, scope });
  const told: boolean[] = [];
  settled.onChange(() => told.push(settled.isAway()));
  return { clock, scope, set, settled, told, listeners };
}

test("a server that goes away is away at once, and is back when what was missed has come", async () => {
  const { clock, scope, set, settled, told } = link();
  set(true);
  assert.equal(settled.isAway(), true);
  set(false);
  await clock.advance(4000);
  assert.equal(settled.isAway(), true);
  await clock.advance(1000);
  assert.deepEqual([settled.isAway(), told], [false, [true, false]]);
  await scope.close();
});

test("one that is gone again before that was never back", async () => {
  const { clock, scope, set, told } = link();
  set(true);
  for (let i = 0; i < 5; i++) {
    set(false);
    await clock.advance(3000);
    set(true);
    await clock.advance(3000);
  }
  assert.deepEqual(told, [true]);
  await scope.close();
});

test("nothing is left of it when its owner ends", async () => {
  const { clock, scope, set, told, listeners } = link();
  set(true);
  set(false);
  await scope.close();
  await clock.advance(10_000);
  assert.deepEqual([told, listeners.size], [[true], 0]);
});
