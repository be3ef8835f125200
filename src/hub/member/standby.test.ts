import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent as noLog } from "../../lib/log.ts";
import { Scope } from "../../lib/scope.ts";
import { silenceMsMax, watchHub } from "./standby.ts";

function start(hasStandby = true) {
  const clock = new FakeClock();
  const scope = new Scope();
  const tries: Scope[] = [];
  const silent = (during: Scope) => {
    if (!hasStandby) return undefined;
    tries.push(during);
    return new Promise<void>(() => {});
  };
  return { clock, scope, tries, heard: watchHub({ silent, clock, log: noLog, scope }) };
}

test("a site whose hub hears it now and then stays", async () => {
  const { clock, tries, heard, scope } = start();
  for (let i = 0; i < 20; i++) {
    await clock.advance(silenceMsMax / 2);
    heard(60_000);
  }
  assert.equal(tries.length, 0);
  await scope.close();
});

test("after a long silence it tries the other hub once, and stops when its own is back", async () => {
  const { clock, tries, heard, scope } = start();
  await clock.advance(silenceMsMax * 3);
  assert.equal(tries.length, 1);
  assert.ok(!tries[0]!.closed);
  heard(60_000);
  assert.ok(tries[0]!.closed);
  await clock.advance(silenceMsMax * 2);
  assert.equal(tries.length, 2);
  await scope.close();
  assert.ok(tries[1]!.closed);
});

test("a site that knows no other hub waits for its own for ever", async () => {
  const { clock, tries, scope } = start(false);
  await clock.advance(silenceMsMax * 10);
  assert.equal(tries.length, 0);
  await scope.close();
});

test("a site that is to be heard once an hour waits for three hours", async () => {
  const { clock, tries, heard, scope } = start();
  heard(3_600_000);
  await clock.advance(2.9 * 3_600_000);
  assert.equal(tries.length, 0);
  await clock.advance(0.2 * 3_600_000);
  assert.equal(tries.length, 1);
  await scope.close();
});
