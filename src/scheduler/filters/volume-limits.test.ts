import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { info, node } from "../fixtures.ts";
import { noVolumes, Snapshot } from "../snapshot.ts";
import type { Filter } from "../filter.ts";
import { volumeLimits } from "./volume-limits.ts";
import { volumes } from "./volumes.ts";
import { volumeRestrictions } from "./volume-restrictions.ts";

const driver = "disk.example.com";
const object = (spec: object, more: object = {}) =>
  ({ metadata: {}, spec, ...more }) as unknown as KubeObject;

/** Claims `a`, `b`, ... are bound to volumes of their names; `new` has none yet. */
function snapshotOf({ count, accessModes }: { count?: number; accessModes?: string[] }) {
  const snapshot = new Snapshot({
    ...noVolumes,
    claim: (_, name) =>
      name === "new"
        ? object({ storageClassName: "disks", accessModes })
        : object({ volumeName: name, accessModes }),
    volume: (name) => object({ csi: { driver, volumeHandle: name } }),
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

test("a volume is made where its class allows it and its driver has room", () => {
  const storageClass = (more: object) =>
    object({}, { metadata: { name: "disks" }, provisioner: driver, ...waits, ...more });
  const waits = { volumeBindingMode: "WaitForFirstConsumer" };
  const claim = object({ storageClassName: "disks", resources: { requests: { storage: "2Gi" } } });
  const judged = (more: object, capacity?: string) => {
    const snapshot = new Snapshot({
      ...noVolumes,
      claim: () => claim,
      storageClass: () => storageClass(more),
      csiDriver: () => object({ storageCapacity: capacity !== undefined }),
      capacities: () => [object({}, { storageClassName: "disks", nodeTopology: {}, capacity })],
    });
    snapshot.setNode(node("n", { labels: { rack: "r1" } }));
    return judge(volumes, snapshot, "new");
  };
  const at = (rack: string) => ({
    allowedTopologies: [{ matchLabelExpressions: [{ key: "rack", values: [rack] }] }],
  });
  assert.equal(judged({}), undefined);
  assert.equal(judged(at("r1")), undefined);
  assert.match(judged(at("r2"))!, /didn't find available persistent volumes to bind/);
  assert.equal(judged({}, "2Gi"), undefined);
  assert.match(judged({}, "1Gi")!, /did not have enough free storage/);
});
