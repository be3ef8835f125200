import assert from "node:assert/strict";
import { test } from "node:test";
import { attachmentName } from "../lib/attachment-name.ts";
import { wantedAttachments } from "./attach-detach.ts";

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
