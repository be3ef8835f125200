import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { hubLabel, planNamespaces } from "./managed-namespaces.ts";

const label = hubLabel("a".repeat(64));
const namespace = (name: string, value: string) =>
  ({ metadata: { name, labels: { [label]: value } } }) as unknown as KubeObject;

test("a namespace that the hub wants is made or marked, and one that it wants no more is only told so", () => {
  const present = [
    namespace("till", "true"),
    namespace("old", "true"),
    namespace("older", "false"),
  ];
  assert.deepEqual(planNamespaces(present, ["till", "stock", "older", "stock"], label), {
    mark: ["stock", "older"],
    release: ["old"],
  });
});

test("the label of a hub is one that Kubernetes takes", () => {
  assert.equal(label.split("/")[1]!.length, 63);
});
