import assert from "node:assert/strict";
import { test } from "node:test";
import { parseFieldSelector, parseLabelSelector } from "./selector.ts";

const labels = { app: "web", tier: "a", size: "7" };
const cases: [string, boolean][] = [
  ["", true],
  ["app=web", true],
  ["app==web", true],
  ["app!=web", false],
  ["none!=x", true],
  ["app in (web, db)", true],
  ["app notin (web)", false],
  ["none notin (web)", true],
  ["app,!none", true],
  ["!app", false],
  ["size>5,size<9", true],
  ["size>7", false],
  ["app=web,tier=b", false],
  ["app=", false],
];
for (const [text, expected] of cases) {
  test(`labels: ${text || "(empty)"}`, () =>
    assert.equal(parseLabelSelector(text)(labels), expected));
}

test("what does not parse is a bad request that says so", () => {
  for (const text of ["a in (b", "a b c", "=x", "a=b=c", "a>x", "-a=b", "a=-b", ",", "a in"]) {
    assert.throws(() => parseLabelSelector(text), /unable to parse requirement/, text);
  }
});

test("field selectors", () => {
  assert.deepEqual(parseFieldSelector("metadata.name=x,status.phase!=Failed"), [
    { field: "metadata.name", operator: "=", value: "x" },
    { field: "status.phase", operator: "!=", value: "Failed" },
  ]);
  assert.deepEqual(parseFieldSelector("a=b\\,c")[0]!.value, "b,c");
  assert.throws(() => parseFieldSelector("metadata.name"), /invalid field selector/);
});
