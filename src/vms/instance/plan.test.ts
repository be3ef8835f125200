import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { currentPod } from "./plan.ts";

const object = (kind: string, name: string, rest: object): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name, uid: name, resourceVersion: "1", creationTimestamp: "" },
  ...rest,
});
const launcher = (name: string, nodeName: string, isTarget: boolean) => {
  const pod = object("Pod", name, { spec: { nodeName } });
  const labels = {
    "kubevirt.io": "virt-launcher",
    ...(isTarget && { "kubevirt.io/migrationJobUID": `of-${name}` }),
  };
  return { ...pod, metadata: { ...pod.metadata, labels } };
};

test("a guest that moves back is in the pod it moved to, while its first pod is still ending", () => {
  const pods = [
    launcher("first", "a", false),
    launcher("second", "b", true),
    launcher("third", "a", true),
  ];
  const move = (from: string, to: string) => ({ sourcePod: from, targetPod: to });
  const rows: [string, object, string][] = [
    ["before any move", { nodeName: "a" }, "first"],
    ["while it moves", { nodeName: "a", migrationState: move("first", "second") }, "first"],
    [
      "when it has moved",
      { nodeName: "b", migrationState: { ...move("first", "second"), completed: true } },
      "second",
    ],
    ["while it moves back", { nodeName: "b", migrationState: move("second", "third") }, "second"],
    [
      "when that failed",
      {
        nodeName: "b",
        migrationState: { ...move("second", "third"), completed: true, failed: true },
      },
      "second",
    ],
  ];
  for (const [when, status, expected] of rows) {
    const vmi = object("VirtualMachineInstance", "guest", { status });
    assert.equal(currentPod(vmi, pods)?.metadata.name, expected, when);
  }
});
