import assert from "node:assert/strict";
import { test } from "node:test";
import { feedbackOf } from "./feedback.ts";
import { applyOrder, configOf, isOrphaned, manifestOf, removedOf } from "./manifest.ts";
import type { Identifier } from "./manifest.ts";
import { workStatus } from "./status.ts";

const evaluate = () => true;
const deployments = {
  ...{ group: "apps", version: "v1", resource: "deployments", kind: "Deployment" },
  ...{ namespaced: true, verbs: ["get"] },
};
const web = { apiVersion: "apps/v1", kind: "Deployment", metadata: { name: "web" } };
const id = (name: string, more: Partial<Identifier> = {}): Identifier => ({
  ...{ group: "apps", version: "v1", resource: "deployments", namespace: "store", name },
  ...more,
});

test("a manifest is found among what the site serves, or said to be unknown", () => {
  const manifest = manifestOf(web, 2, [deployments]);
  assert.deepEqual(
    [manifest.resource, manifest.namespace, manifest.name, manifest.ordinal],
    ["deployments", "default", "web", 2],
  );
  assert.throws(() => manifestOf(web, 0, []), /no matches for kind "Deployment"/);
  assert.throws(() => manifestOf({ ...web, metadata: {} }, 0, [deployments]), /metadata.name/);
});

test("definitions and namespaces come first, the rest as listed", () => {
  const kinds = ["Deployment", "Namespace", "Secret", "CustomResourceDefinition"];
  assert.deepEqual(applyOrder(kinds.map((kind) => ({ kind }))), [3, 1, 0, 2]);
});

for (const [what, resourceIdentifier, found] of [
  ["its name", { group: "apps", resource: "deployments", namespace: "store", name: "web" }, true],
  ["a pattern", { group: "apps", resource: "*", namespace: "st*", name: "*" }, true],
  ["another group", { resource: "deployments", namespace: "store", name: "web" }, false],
] as const) {
  test(`a configuration ${found ? "applies" : "does not apply"} by ${what}`, () => {
    assert.equal(configOf([{ resourceIdentifier }], id("web")) !== undefined, found);
  });
}

test("what is orphaned stays, what is not is taken back", () => {
  const rule = { group: "apps", resource: "deployments", namespace: "store", name: "web" };
  const selective = {
    propagationPolicy: "SelectivelyOrphan",
    selectivelyOrphans: { orphaningRules: [rule] },
  };
  assert.ok(isOrphaned({ propagationPolicy: "Orphan" }, id("any")));
  assert.ok(isOrphaned(selective, id("web")) && !isOrphaned(selective, id("other")));
  assert.ok(!isOrphaned({ propagationPolicy: "Foreground" }, id("web")));
  const before = [id("web"), id("old")].map((one) => ({ ...one, uid: "1" }));
  assert.deepEqual(
    removedOf(before, [id("web")]).map(({ name }) => name),
    ["old"],
  );
});

test("feedback has the types of its values, and names what it did not find", () => {
  const live = { status: { replicas: 2, ready: true, note: "x", list: [1] } };
  const jsonPaths = ["replicas", "ready", "note", "list", "gone"].map((name) => ({
    name,
    path: `.status.${name}`,
  }));
  const { values, failures } = feedbackOf(live, "", "Thing", [{ type: "JSONPaths", jsonPaths }]);
  assert.deepEqual(
    values.map(({ fieldValue }) => fieldValue),
    [
      { type: "Integer", integer: 2 },
      { type: "Boolean", boolean: true },
      { type: "String", string: "x" },
      { type: "JsonRaw", jsonRaw: "[1]" },
    ],
  );
  assert.deepEqual(failures, []);
  const long = { status: { note: "x".repeat(2000) } };
  const rules = [{ type: "JSONPaths", jsonPaths: [{ name: "note", path: ".status.note" }] }];
  assert.match(feedbackOf(long, "", "Thing", rules).failures[0]!, /1024 characters/);
});

test("a work is as good as its worst manifest, and a condition keeps its time", () => {
  const manifest = manifestOf(web, 0, [deployments]);
  const good = { ordinal: 0, object: web, manifest, live: web };
  const failure = { reason: "AppliedManifestFailed", message: "no" };
  const work = { metadata: { generation: 4 } };
  const first: any = workStatus(work, [good], { evaluate, now: 1000 });
  assert.deepEqual(
    first.conditions.map((one: any) => [one.type, one.status, one.observedGeneration]),
    [
      ["Applied", "True", 4],
      ["Available", "True", 4],
    ],
  );
  const bad = { ordinal: 1, object: { kind: "Odd" }, failure };
  const second: any = workStatus({ ...work, status: first }, [good, bad], { evaluate, now: 9000 });
  assert.match(second.conditions[0].message, /1 of 2/);
  const [kept] = second.resourceStatus.manifests[0].conditions;
  assert.equal(kept.lastTransitionTime, "1970-01-01T00:00:01Z");
});
