import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../kinds/object.ts";
import { planResize } from "./local-path-resize.ts";

const claim = (asked: string, has: string, conditions?: object[]) =>
  ({
    metadata: { name: "data" },
    spec: { resources: { requests: { storage: asked } } },
    status: { capacity: { storage: has }, ...(conditions && { conditions }) },
  }) as unknown as KubeObject;
const volume = (storage: string, volumeMode = "Filesystem") =>
  ({
    metadata: { name: "pv" },
    spec: { capacity: { storage }, volumeMode },
  }) as unknown as KubeObject;
const pending = [{ type: "FileSystemResizePending", status: "True" }];

const table: [string, KubeObject, KubeObject, object][] = [
  ["nothing is asked", claim("1Gi", "1Gi"), volume("1Gi"), {}],
  ["less is asked", claim("1Mi", "1Gi"), volume("1Gi"), {}],
  ["more is asked", claim("2Gi", "1Gi"), volume("1Gi"), { volume: "2Gi", claim: "2Gi" }],
  ["the volume has grown already", claim("2Gi", "1Gi"), volume("2Gi"), { claim: "2Gi" }],
  [
    "a block device needs its node",
    claim("2Gi", "1Gi"),
    volume("1Gi", "Block"),
    { volume: "2Gi", isPending: true },
  ],
  ["which was told", claim("2Gi", "1Gi", pending), volume("2Gi", "Block"), {}],
];

for (const [name, asking, kept, expected] of table) {
  test(`a local volume is resized when ${name}`, () => {
    assert.deepEqual(planResize(asking, kept), expected);
  });
}
