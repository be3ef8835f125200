import assert from "node:assert/strict";
import { test } from "node:test";
import { counted } from "./counted.ts";

const answers = (...all: object[]) => {
  let asked = 0;
  const ask = async () => all[Math.min(asked++, all.length - 1)];
  return { ask, asked: () => asked };
};

test("how long a guest stood still is told once QEMU has counted it", async () => {
  const early = { status: "completed", "total-time": 0, downtime: 0 };
  const late = { ...early, "total-time": 1400, downtime: 23 };
  assert.deepEqual(await counted(answers(early, early, late).ask), late);
  const never = answers(early);
  assert.deepEqual(await counted(never.ask), early);
  assert.equal(never.asked(), 50);
});

test("a migration that goes on, or of which nothing is counted, is asked for once", async () => {
  for (const info of [{}, { status: "active", "total-time": 0 }, { status: "completed" }]) {
    const one = answers(info);
    assert.equal(await counted(one.ask), info);
    assert.equal(one.asked(), 1);
  }
});
