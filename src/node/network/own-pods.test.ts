import assert from "node:assert/strict";
import { test } from "node:test";
import { OwnPods } from "./own-pods.ts";

test("what changed of a pod is told once, and nothing is left of one that is gone", () => {
  const own = new OwnPods();
  const seen: number[] = [];
  const stop = own.onChange(() => seen.push(own.version));
  for (const isReady of [true, true, false, false]) own.tell("a", isReady);
  assert.deepEqual([own.isDown("a"), own.isDown("b"), own.isDown(undefined)], [true, false, false]);
  own.tell("a", undefined);
  assert.equal(own.isDown("a"), false);
  stop();
  own.tell("b", false);
  assert.deepEqual(seen, [1, 2, 3]);
});
