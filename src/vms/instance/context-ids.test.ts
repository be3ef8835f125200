import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { contextIdsOf } from "./context-ids.ts";

const machine = (uid: string, id?: number): KubeObject => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachineInstance",
  metadata: { name: uid, uid, resourceVersion: "1", creationTimestamp: "" },
  spec: { domain: { devices: { autoattachVSOCK: true } } },
  ...(id !== undefined && { status: { VSOCKCID: id } }),
});

test("no two guests have the same address, also before the first was seen to have it", () => {
  const ids = contextIdsOf({} as any);
  // Their uids begin alike.
  const [one, two, three] = [machine("0000001-a"), machine("0000001-b"), machine("0000001-c")];
  const all = [one, two, three, machine("other", 5)];
  assert.deepEqual(
    [one, two, three, one].map((vmi) => ids.give(vmi, all)),
    [4, 6, 7, 4],
  );
  assert.equal(ids.give(machine("moved", 5), all), 5);
  // One that is gone leaves its own to others.
  assert.equal(ids.give(machine("0000001-d"), [two, three]), 4);
});
