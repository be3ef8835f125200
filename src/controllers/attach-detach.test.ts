import assert from "node:assert/strict";
import { test } from "node:test";
import { attachmentName } from "../lib/attachment-name.ts";
import { attachedName } from "../lib/attached-name.ts";
import { attachable, staysMs, volumesAttached, wantedAttachments } from "./attach-detach.ts";

const pod = (nodeName: string | undefined, phase = "Running") =>
  ({
    metadata: { name: "web", namespace: "shop" },
    spec: {
      nodeName,
      volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
    },
    status: { phase },
  }) as any;
const claim = { spec: { volumeName: "pv" }, status: { phase: "Bound" } } as any;
const volume = {
  metadata: { name: "pv" },
  spec: { csi: { driver: "disk.example.com", volumeHandle: "vol-1" } },
} as any;

const names = (pods: any[], more: object = {}) => [
  ...wantedAttachments({
    pods,
    claim: () => claim,
    volume: () => volume,
    attaches: () => true,
    ...more,
  }).keys(),
];
const at = (node: string) => attachmentName("vol-1", "disk.example.com", node);

test("a volume is attached where pods that use it are placed, once for each node", () => {
  assert.deepEqual(names([pod("a"), pod("a"), pod("b")]), [at("a"), at("b")]);
});

test("nothing is attached for pods that are placed nowhere or have ended, or for drivers that need it not", () => {
  assert.deepEqual(names([pod(undefined)]), []);
  assert.deepEqual(names([pod("a", "Succeeded")]), []);
  const leaving = {
    ...pod("a", "Failed"),
    metadata: { ...pod("a").metadata, deletionTimestamp: "x" },
  };
  assert.deepEqual(names([leaving]), [at("a")], "it may hold its volume still");
  assert.deepEqual(names([pod("a")], { attaches: () => false }), []);
  assert.deepEqual(names([pod("a")], { volume: () => ({ metadata: {}, spec: {} }) }), []);
});

test("a volume stays while its node says that it is in use, unless the node is lost or given up", () => {
  const now = Date.parse("2026-01-01T00:10:00Z");
  const name = attachedName("disk.example.com", "vol-1");
  const node = (ready: string, spec = {}, volumesInUse = [name]) => ({
    metadata: { name: "a" },
    spec,
    status: {
      volumesInUse,
      conditions: [{ type: "Ready", status: ready, lastTransitionTime: "2026-01-01T00:05:00Z" }],
    },
  });
  const stays = (one: object | undefined) => staysMs(one as any, name, now);
  assert.equal(stays(node("True")), Infinity);
  assert.equal(stays(node("True", {}, [])), 0);
  assert.equal(stays(undefined), 0, "a node that is gone holds nothing");
  assert.equal(stays(node("Unknown")), 60_000);
  assert.equal(staysMs(node("Unknown") as any, name, now + 60_000), 0);
  const given = { taints: [{ key: "node.kubernetes.io/out-of-service" }] };
  assert.equal(stays(node("Unknown", given)), 0);
  assert.deepEqual(volumesAttached(["b", "a"]), [
    { name: "a", devicePath: "" },
    { name: "b", devicePath: "" },
  ]);
});

test("a volume for one node alone is attached to a second when it has left the first", () => {
  const wanted = (accessModes: string[]) =>
    wantedAttachments({
      pods: [pod("a"), pod("b")],
      claim: () => claim,
      volume: () => ({ ...volume, spec: { ...volume.spec, accessModes } }),
      attaches: () => true,
    });
  const nodesOf = (list: { draft: any }[]) => list.map(({ draft }) => draft.spec.nodeName);
  const first = attachable(wanted(["ReadWriteOnce"]), []);
  assert.deepEqual([nodesOf(first.now), nodesOf(first.later)], [["a"], ["b"]]);
  const known = [{ metadata: { name: at("c") }, spec: { source: { persistentVolumeName: "pv" } } }];
  const moved = attachable(wanted(["ReadWriteOncePod"]), known as any);
  assert.deepEqual([nodesOf(moved.now), nodesOf(moved.later)], [[], ["a", "b"]]);
  assert.deepEqual(nodesOf(attachable(wanted(["ReadWriteMany"]), known as any).now), ["a", "b"]);
});
