import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusError } from "../lib/status-error.ts";
import { checkMatch, encodeContinue, listQuery } from "./list-options.ts";

const query = (text: string) => listQuery(new URLSearchParams(text));

const cases: [text: string, exactly: number | undefined, atLeast: number][] = [
  ["", undefined, 0],
  ["resourceVersion=0", undefined, 0],
  ["resourceVersion=7", undefined, 7],
  ["resourceVersion=7&limit=2", 7, 7],
  ["resourceVersion=7&resourceVersionMatch=NotOlderThan&limit=2", undefined, 7],
  ["resourceVersion=7&resourceVersionMatch=Exact", 7, 7],
];

test("a resourceVersion on a list means exactly or at least", () => {
  for (const [text, exactly, atLeast] of cases) {
    const found = query(text);
    assert.deepEqual([found.exactly, found.atLeast], [exactly, atLeast], text);
  }
});

test("a continue token carries its revision and its place", () => {
  const found = query(`limit=5&continue=${encodeContinue(12, "default/web")}`);
  assert.deepEqual(found, { exactly: 12, atLeast: 0, limit: 5, after: "default/web" });
  assert.equal(query(`continue=${encodeContinue(-1, "a")}`).exactly, undefined);
});

const refusals: [text: string, code: number][] = [
  ["resourceVersion=abc", 400],
  ["resourceVersion=-1", 400],
  ["limit=x", 400],
  ["continue=nonsense", 400],
  [`resourceVersion=3&continue=${encodeContinue(1, "a")}`, 400],
  ["resourceVersionMatch=Exact", 422],
  ["resourceVersion=0&resourceVersionMatch=Exact", 422],
  ["resourceVersion=1&resourceVersionMatch=Sometimes", 422],
  ["sendInitialEvents=true", 422],
];

test("options that contradict each other are refused", () => {
  for (const [text, code] of refusals) {
    assert.throws(
      () => query(text),
      (error) => error instanceof StatusError && error.code === code,
      text,
    );
  }
});

test("initial events of a watch need NotOlderThan", () => {
  assert.throws(() => checkMatch(new URLSearchParams("sendInitialEvents=true"), true), StatusError);
  checkMatch(new URLSearchParams("sendInitialEvents=true&resourceVersionMatch=NotOlderThan"), true);
});
