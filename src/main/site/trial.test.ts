import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { missingOf, owedPods } from "./trial.ts";

const pod = (name: string, ready: boolean, isLeaving = false) =>
  ({
    metadata: {
      ...{ name, namespace: "shop", uid: name },
      ...(isLeaving && { deletionTimestamp: "2026-01-01T00:00:00Z" }),
    },
    status: { conditions: [{ type: "Ready", status: ready ? "True" : "False" }] },
  }) as unknown as KubeObject;

const debt = { containers: true, pods: ["a", "b", "c", "d", "e"] };

test("what was Ready and was not leaving is owed", () => {
  assert.deepEqual(owedPods([pod("a", true), pod("b", false), pod("c", true, true)]), ["a"]);
});

for (const [what, hasContainers, pods, missing] of [
  ["all is back", true, ["a", "b"].map((one) => pod(one, true)), undefined],
  ["pods that were deleted are owed no more", true, [pod("a", false, true)], undefined],
  ["pods that were not Ready before are owed nothing", true, [pod("new", false)], undefined],
  ["one is not back", true, [pod("a", true), pod("b", false)], "shop/b did not come back"],
  [
    "many are not back",
    true,
    debt.pods.map((one) => pod(one, false)),
    "shop/a, shop/b, shop/c and 2 more did not come back",
  ],
  ["a site without containers", false, [pod("a", true)], "the site has no containers any more"],
] as const) {
  test(`after a trial: ${what}`, () => {
    assert.equal(missingOf(debt, hasContainers, [...pods]), missing);
  });
}

test("a site that had no containers before owes none", () => {
  assert.equal(missingOf({ containers: false, pods: [] }, false, []), undefined);
});
