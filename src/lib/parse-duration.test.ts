import assert from "node:assert/strict";
import { test } from "node:test";
import { durationMs } from "./parse-duration.ts";

test("a duration is read as Go writes it, and what is none is told from none at all", () => {
  const texts = ["90s", "1h30m", "5m0s", "250ms", "1.5s", "0s", "0", "None", "5", "s", "1m x", ""];
  const read = [90_000, 5_400_000, 300_000, 250, 1500, 0, ...Array(6).fill(undefined)];
  assert.deepEqual([...texts.map((text) => durationMs(text)), durationMs()], [...read, undefined]);
});
