import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { missingNodes, plan } from "./plan.ts";

const object = (kind: string, name: string, fields: object, metadata: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name, uid: name, resourceVersion: "1", creationTimestamp: name, ...metadata },
  ...fields,
});

const going = { deletionTimestamp: "2026-01-01T00:00:00Z" };
const pod = (name: string, nodeName?: string, phase = "Running", more: object = {}) =>
  object("Pod", name, { spec: { nodeName }, status: { phase } }, more);
const shut = object("Node", "shut", {
  spec: { taints: [{ key: "node.kubernetes.io/out-of-service", effect: "NoExecute" }] },
  status: { conditions: [{ type: "Ready", status: "Unknown" }] },
});
const nodes = [object("Node", "here", {}), shut];

test("only pods that nobody else will remove are collected, and why", () => {
  const pods = [
    pod("runs", "here"),
    pod("waits"),
    pod("waits-no-more", undefined, "Pending", going),
    pod("of-a-vanished-node", "gone"),
    pod("of-a-missing-node", "away"),
    pod("on-a-shut-node", "shut"),
    pod("leaving-a-shut-node", "shut", "Running", going),
    pod("old", "here", "Succeeded"),
    pod("older", "here", "Failed"),
  ];
  assert.deepEqual([...missingNodes(pods, nodes)], ["gone", "away"]);
  const plans = plan({ pods, nodes, vanished: new Set(["gone"]), finishedMax: 1 });
  assert.deepEqual(
    [...plans].map(([{ metadata }, reason]) => [metadata.name, reason]),
    [
      ["waits-no-more", "unscheduled"],
      ["of-a-vanished-node", "orphaned"],
      ["leaving-a-shut-node", "out-of-service"],
      ["old", "surplus"],
    ],
  );
});
