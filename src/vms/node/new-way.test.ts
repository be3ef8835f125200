import assert from "node:assert/strict";
import { test } from "node:test";
import { FakeClock } from "../../lib/fake-clock.ts";
import { tryNewWay, wayBroke } from "./new-way.ts";
import type { Vm } from "./vm.ts";

test("a new way is tried again once the one before is made or given up, has broken, or was refused", async () => {
  const clock = new FakeClock();
  const vm = { options: { clock } } as unknown as Vm;
  let tries = 0;
  const ask = () => tryNewWay(vm, async () => tries++);
  await ask();
  await clock.advance(9000);
  await ask();
  assert.equal(tries, 1);
  await clock.advance(1000);
  await ask();
  assert.equal(tries, 2);
  wayBroke(vm);
  await ask();
  assert.equal(tries, 3);
  await clock.advance(10_000);
  await assert.rejects(tryNewWay(vm, () => Promise.reject(new Error("refused"))));
  await ask();
  assert.equal(tries, 4);
});
