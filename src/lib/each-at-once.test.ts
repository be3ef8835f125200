import assert from "node:assert/strict";
import { test } from "node:test";
import { eachAtOnce } from "./each-at-once.ts";

test("so many are under way at once and no more, and all are done", async () => {
  let [underWay, most] = [0, 0];
  const done: number[] = [];
  const work = async (one: number) => {
    most = Math.max(most, ++underWay);
    await new Promise((resolve) => setImmediate(resolve));
    underWay--;
    done.push(one);
  };
  await eachAtOnce([1, 2, 3, 4, 5, 6, 7], work, { max: 3 });
  assert.equal(most, 3);
  assert.deepEqual(done.toSorted(), [1, 2, 3, 4, 5, 6, 7]);
});

test("after a failure nothing more is begun", async () => {
  const begun: number[] = [];
  const work = async (one: number) => {
    begun.push(one);
    if (one === 2) throw new Error("no room");
  };
  await assert.rejects(eachAtOnce([1, 2, 3, 4], work, { max: 1 }), { message: "no room" });
  assert.deepEqual(begun, [1, 2]);
});
