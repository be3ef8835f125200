import assert from "node:assert/strict";
import { test } from "node:test";
import { blocking, Graph, judge } from "./graph.ts";
import type { GraphNode, OwnerState, Verdict } from "./graph.ts";

const of = { group: "", version: "v1", resource: "pods", kind: "Pod", namespaced: true, verbs: [] };
const node = (uid: string, owners: string[] = [], more: Partial<GraphNode> = {}): GraphNode => ({
  of,
  uid,
  name: uid,
  namespace: "default",
  owners: owners.map((owner) => ({ apiVersion: "v1", kind: "Pod", name: owner, uid: owner })),
  finalizers: [],
  deleting: false,
  ...more,
});

const cases: [string, OwnerState[], boolean, Partial<GraphNode>, Verdict["do"], string?][] = [
  ["without owners", [], false, {}, "nothing"],
  ["with a living owner", ["solid"], false, {}, "nothing"],
  ["with one of two owners left", ["solid", "dangling"], false, {}, "unlink"],
  ["with no owner left", ["dangling", "dangling"], false, {}, "delete", "Background"],
  ["whose owner waits for it", ["waiting"], false, {}, "delete", "Background"],
  ["whose owner waits, with dependents", ["waiting"], true, {}, "delete", "Foreground"],
  ["that is being deleted", ["dangling"], false, { deleting: true }, "nothing"],
  ["that orphans", ["dangling"], false, { finalizers: ["orphan"] }, "delete", "Orphan"],
];
for (const [name, states, dependents, more, expected, propagation] of cases) {
  test(`an object ${name}: ${expected}`, () => {
    const verdict = judge(
      node(
        "x",
        states.map((_, i) => `o${i}`),
        more,
      ),
      states,
      dependents,
    );
    assert.equal(verdict.do, expected);
    if (verdict.do === "delete") assert.equal(verdict.propagation, propagation);
  });
}

test("the graph follows owners that change, in cycles too", () => {
  const graph = new Graph();
  graph.put(node("a", ["b"]));
  graph.put(node("b", ["a"]));
  assert.deepEqual(
    graph.dependents("a").map(({ uid }) => uid),
    ["b"],
  );
  graph.put(node("b", []));
  assert.deepEqual(graph.dependents("a"), []);
  graph.remove("a");
  assert.deepEqual(graph.dependents("b"), []);
});

test("only dependents that say so block", () => {
  const owner = { apiVersion: "v1", kind: "Pod", name: "o", uid: "o" };
  const held = { ...node("x"), owners: [{ ...owner, blockOwnerDeletion: true }] };
  assert.deepEqual(blocking("o", [held, { ...node("y"), owners: [owner] }]), [held]);
});
