import assert from "node:assert/strict";
import { test } from "node:test";
import { formatIndexes, parseIndexes } from "./indexes.ts";

test("completion indexes are written as ranges and read back", () => {
  const table: [number[], string][] = [
    [[], ""],
    [[3], "3"],
    [[0, 1], "0,1"],
    [[7, 0, 2, 3, 4], "0,2-4,7"],
  ];
  for (const [indexes, text] of table) {
    assert.equal(formatIndexes(indexes), text);
    assert.deepEqual(
      [...parseIndexes(text)].sort((a, b) => a - b),
      indexes.sort((a, b) => a - b),
    );
  }
});
