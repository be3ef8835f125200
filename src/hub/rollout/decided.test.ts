import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { groupsOf, isWhole } from "./decided.ts";

const ocm = "cluster.open-cluster-management.io";

const object = (kind: string, name: string, status?: object): KubeObject => ({
  apiVersion: `${ocm}/v1beta1`,
  kind,
  metadata: {
    ...{ name, namespace: "team", uid: name, resourceVersion: "1", creationTimestamp: "" },
    labels: { [`${ocm}/placement`]: "north" },
  },
  ...(status && { status }),
});
const placement = (count?: number) =>
  object(
    "Placement",
    "north",
    count === undefined ? undefined : { numberOfSelectedClusters: count },
  );
const decision = (number: number, ...sites: string[]) =>
  object("PlacementDecision", `north-decision-${number}`, {
    decisions: sites.map((clusterName) => ({ clusterName, reason: "" })),
  });

test("a placement has not decided before it has a decision", () => {
  assert.equal(groupsOf([], "north"), undefined);
  assert.equal(groupsOf([decision(1, "a")], "south"), undefined);
});

test("decisions are read in the order of their numbers", () => {
  const groups = groupsOf([decision(10, "c"), decision(2, "b"), decision(1, "a")], "north");
  assert.deepEqual(groups, [{ name: "", sites: ["a", "b", "c"] }]);
});

test("decisions are whole when they have as many sites as the placement chose", () => {
  const two = groupsOf([decision(1, "a"), decision(2, "b")], "north")!;
  assert.ok(isWhole(two, placement(2)));
  assert.ok(isWhole(groupsOf([decision(1)], "north")!, placement(0)));
});

test("a site that is in two decisions while it moves counts once", () => {
  const moving = groupsOf([decision(1, "a", "b"), decision(2, "b")], "north")!;
  assert.ok(isWhole(moving, placement(2)));
});

test("nobody is left out by a placement that is gone, is new, or whose decisions are not all there", () => {
  const one = groupsOf([decision(1, "a")], "north")!;
  assert.ok(!isWhole(one, undefined));
  assert.ok(!isWhole(one, placement()));
  assert.ok(!isWhole(one, placement(2)));
  const unwritten = groupsOf([object("PlacementDecision", "north-decision-1")], "north")!;
  assert.ok(!isWhole(unwritten, placement()));
});
