import assert from "node:assert/strict";
import { test } from "node:test";
import { mergePatch } from "./merge-patch.ts";

// RFC 7396, appendix A, and the keys that JavaScript treats as its own.
const cases: [document: any, patch: any, result: any][] = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

test("a merge patch does what RFC 7396 says and changes neither side", () => {
  for (const [document, patch, result] of cases) {
    const before = JSON.stringify([document, patch]);
    assert.deepEqual(mergePatch(document, patch), result, before);
    assert.equal(JSON.stringify([document, patch]), before);
  }
});

test("a key named __proto__ is a key like any other", () => {
  const merged = mergePatch({ a: 1 }, JSON.parse(`{"__proto__":{"polluted":true}}`));
  assert.equal(JSON.stringify(merged), `{"a":1,"__proto__":{"polluted":true}}`);
  assert.equal(merged.polluted, undefined);
});
