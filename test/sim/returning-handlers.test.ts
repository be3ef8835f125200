import assert from "node:assert/strict";
import { test } from "node:test";
import { ReturningHandlers } from "./returning-handlers.ts";

const seeds = 8;

test(`no Instance and no broker changes while an agent's handlers come back, ${seeds} stories`, async () => {
  for (let seed = 0; seed < seeds; seed++) {
    assert.deepEqual(await new ReturningHandlers(seed).tell(), [], `seed ${seed}`);
  }
});
