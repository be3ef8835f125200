import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { info, node } from "../fixtures.ts";
import { Snapshot } from "../snapshot.ts";
import type { Filter } from "../filter.ts";
import { volumeLimits } from "./volume-limits.ts";
import { volumeRestrictions } from "./volume-restrictions.ts";

const driver = "disk.example.com";
const object = (spec: object, more: object = {}) =>
  ({ metadata: {}, spec, ...more }) as unknown as KubeObject;

/** Claims `a`, `b`, ... are bound to volumes of their names; `new` has none yet. */
function snapshotOf({ count, accessModes }: { count?: number; accessModes?: string[] }) {
  const snapshot = new Snapshot({
    claim: (_, name) =>
      name === "new"
        ? object({ storageClassName: "disks", accessModes })
        : object({ volumeName: name, accessModes }),
    volume: (name) => object({ csi: { driver, volumeHandle: name } }),
    volumes: () => [],
    storageClass: () => object({}, { provisioner: driver }),
    csiNode: () =>
      object({
        drivers: [{ name: driver, ...(count !== undefined && { allocatable: { count } }) }],
      }),
  });
  snapshot.setNode(node("n"));
  return snapshot;
}

const podWith = (name: string, ...claims: string[]) =>
  info(name, {
    spec: {
      volumes: claims.map((claimName) => ({
        name: claimName,
        persistentVolumeClaim: { claimName },
      })),
    },
  });

function judge(filter: Filter, snapshot: Snapshot, ...claims: string[]) {
  const check = filter.prepare(podWith("asking", ...claims), snapshot);
  return typeof check === "function" ? check(snapshot.byName.get("n")!)?.reasons[0] : undefined;
}

test("a node takes as many volumes of a driver as it can have, a shared one once", () => {
  const snapshot = snapshotOf({ count: 2 });
  snapshot.place(podWith("first", "a"), "n");
  snapshot.place(podWith("second", "a"), "n");
  const full = "node(s) exceed max volume count";
  assert.equal(judge(volumeLimits, snapshot, "b"), undefined);
  assert.equal(judge(volumeLimits, snapshot, "b", "c"), full);
  assert.equal(judge(volumeLimits, snapshot, "new"), undefined);
  snapshot.place(podWith("third", "b"), "n");
  assert.equal(judge(volumeLimits, snapshot, "a"), undefined);
  assert.equal(judge(volumeLimits, snapshot, "new"), full);
  const open = snapshotOf({});
  assert.equal(judge(volumeLimits, open, "a", "b", "c"), undefined);
});

test("a claim for one pod alone is not given to a second until the first is gone", () => {
  const snapshot = snapshotOf({ accessModes: ["ReadWriteOncePod"] });
  assert.equal(judge(volumeRestrictions, snapshot, "a"), undefined);
  const first = podWith("first", "a");
  snapshot.place(first, "n");
  assert.match(judge(volumeRestrictions, snapshot, "a")!, /ReadWriteOncePod access mode/);
  assert.equal(judge(volumeRestrictions, snapshot, "b"), undefined);
  snapshot.remove(first.uid);
  assert.equal(judge(volumeRestrictions, snapshot, "a"), undefined);
  const shared = snapshotOf({ accessModes: ["ReadWriteOnce"] });
  shared.place(podWith("first", "a"), "n");
  assert.equal(judge(volumeRestrictions, shared, "a"), undefined);
});
