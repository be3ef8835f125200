import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "../kinds/kinds.ts";
import { selectionOf } from "./selection.ts";

const kinds = builtinKinds();

test("field selectors read what is absent as Go's zero", () => {
  const table: [string, string, object, boolean][] = [
    ["/v1/nodes", "spec.unschedulable=false", { spec: {} }, true],
    ["/v1/nodes", "spec.unschedulable=false", { spec: { unschedulable: true } }, false],
    ["/v1/nodes", "spec.unschedulable!=true", {}, true],
    ["/v1/pods", "spec.hostNetwork=false", { spec: {} }, true],
    ["/v1/pods", "spec.nodeName=", { spec: {} }, true],
    ["batch/v1/jobs", "status.successful=0", { status: {} }, true],
    ["batch/v1/jobs", "status.successful=2", { status: { succeeded: 2 } }, true],
    ["apps/v1/replicasets", "status.replicas=0", {}, true],
    ["/v1/events", "source=kubelet", { source: { component: "kubelet" } }, true],
  ];
  for (const [resource, fieldSelector, object, expected] of table) {
    const [group, version, plural] = resource.split("/") as [string, string, string];
    const kind = kinds.get(group, version, plural)!;
    const selection = selectionOf(new URLSearchParams({ fieldSelector }), kind)!;
    assert.equal(selection.matches({ metadata: {}, ...object } as any), expected, fieldSelector);
  }
});
