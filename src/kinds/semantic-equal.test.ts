import assert from "node:assert/strict";
import { test } from "node:test";
import { semanticEqual } from "./semantic-equal.ts";

const cases: [a: unknown, b: unknown, isEqual: boolean][] = [
  [{ list: [] }, {}, true],
  [{}, { list: [] }, true],
  [{ a: { list: [] } }, { a: {} }, true],
  [{ a: {} }, {}, false],
  [{ a: [1] }, { a: [1, 2] }, false],
  [{ a: [{ b: [] }] }, { a: [{}] }, true],
  [{ a: 0 }, {}, false],
  [[], undefined, true],
];

for (const [a, b, isEqual] of cases) {
  test(`${JSON.stringify(a)} is ${isEqual ? "" : "not "}as good as ${JSON.stringify(b)}`, () => {
    assert.equal(semanticEqual(a, b), isEqual);
  });
}
