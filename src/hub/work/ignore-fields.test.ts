import assert from "node:assert/strict";
import { test } from "node:test";
import { withSiteFields } from "./ignore-fields.ts";
import type { IgnoreRule } from "./ignore-fields.ts";

const object = { spec: { replicas: 3, list: [1, 2] }, metadata: { annotations: { "a/b": "1" } } };
const live = { spec: { replicas: 7, list: [9, 2, 3] }, metadata: {} };
const applied = (rules: IgnoreRule[], changed = false) =>
  withSiteFields(object, live, { rules, changed });
const made = (rules: IgnoreRule[]) => withSiteFields(object, undefined, { rules, changed: true });

test("an ignored field is what it is at the site, and gone when it is gone there", () => {
  const jsonPointers = ["/spec/list/0", "/metadata/annotations/a~1b"];
  assert.deepEqual(applied([{ jsonPointers, jsonPaths: [".spec.replicas"] }]), {
    spec: { replicas: 7, list: [9, 2] },
    metadata: { annotations: {} },
  });
  assert.equal(object.spec.replicas, 3);
});

test("an object that is not there yet is made whole", () => {
  assert.equal(made([{ jsonPaths: [".spec.replicas"] }]), object);
});

test("what the hub does not mention is not made up from the site", () => {
  assert.deepEqual(applied([{ jsonPointers: ["/spec/other", "/nowhere/at/all"] }]), object);
});

for (const [changed, replicas] of [
  [true, 3],
  [false, 7],
] as const) {
  test(`OnSpokeChange: ${changed ? "new content of the hub" : "the site"} has its way`, () => {
    const rule: IgnoreRule = { condition: "OnSpokeChange", jsonPaths: [".spec.replicas"] };
    assert.equal(applied([rule], changed).spec.replicas, replicas);
  });
}

test("what cannot be ignored is refused by name", () => {
  assert.throws(() => applied([{ jsonPaths: [".spec.list[*]"] }]), /one field/);
  assert.throws(() => applied([{ jqPathExpressions: [".spec"] }]), /jqPathExpressions/);
  assert.throws(() => made([{ jqPathExpressions: [".spec"] }]), /jqPath/);
});
