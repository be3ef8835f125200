import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../kinds/object.ts";
import { localVolumes } from "../lib/local-volumes.ts";
import { localVolume, placeFor, refusedClass } from "./local-path.ts";
import { givenUpIn } from "./local-path-lost.ts";
import { selectedNodeAnnotation } from "./persistent-volume/plan.ts";

const claim = (volumeMode?: string) =>
  ({
    metadata: { name: "data", namespace: "shop", uid: "u" },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "1Gi" } },
      ...(volumeMode && { volumeMode }),
    },
  }) as unknown as KubeObject;
const storageClass = (parameters?: object) =>
  ({ metadata: { name: "sized" }, ...(parameters && { parameters }) }) as unknown as KubeObject;
const node = (name: string) =>
  ({ metadata: { name, labels: { "kubernetes.io/hostname": name } } }) as unknown as KubeObject;

test("a volume of a class that minds sizes is a file system of its own", () => {
  const made = (parameters?: object, mode?: string) =>
    localVolume(claim(mode), storageClass(parameters), node("a"), "/v")["spec"].local;
  const path = "/v/pvc-u_shop_data";
  assert.deepEqual(made(), { path });
  assert.deepEqual(made({ enforceSize: "false" }), { path });
  assert.deepEqual(made({ enforceSize: "true" }), { path, fsType: "ext4" });
  assert.deepEqual(
    made({ enforceSize: "true" }, "Block"),
    { path },
    "a device has its size anyway",
  );
});

test("a class with parameters that mean nothing here is refused by their name", () => {
  assert.equal(refusedClass(storageClass({ enforceSize: "true" })), undefined);
  assert.match(refusedClass(storageClass({ pathPattern: "x" }))!, /"pathPattern" is not known/);
  assert.match(refusedClass(storageClass({ enforceSize: "yes" }))!, /"true" or "false"/);
});

test("a volume lies on its first pod's node, or where its class binds at once on the only one", () => {
  const keeping = (name: string) =>
    ({
      metadata: { name, annotations: { [localVolumes.directoryAnnotation]: `/${name}` } },
    }) as unknown as KubeObject;
  const ofMode = (volumeBindingMode: string) =>
    ({ metadata: { name: "local" }, volumeBindingMode }) as unknown as KubeObject;
  const [atOnce, later] = [ofMode("Immediate"), ofMode("WaitForFirstConsumer")];
  const [a, b, bare] = [keeping("a"), keeping("b"), node("c")];
  const placed = claim();
  placed.metadata.annotations = { [selectedNodeAnnotation]: "b" };
  assert.deepEqual(placeFor(placed, later, [a, b]), { node: b, directory: "/b" });
  assert.equal(placeFor(claim(), later, [a]), undefined);
  assert.deepEqual(placeFor(claim(), atOnce, [a, bare]), { node: a, directory: "/a" });
  const why = (nodes: KubeObject[], of = claim()) =>
    (placeFor(of, atOnce, nodes) as { why: string }).why;
  assert.match(why([a, b]), /class "local" binds at once, and 2 nodes .*WaitForFirstConsumer/);
  assert.match(why([bare]), /0 nodes keep/);
  assert.equal(why([a], placed), "node b keeps no local volumes");
});

test("a volume that goes is given up a while after its node has left, and never before", () => {
  const { metadata, ...rest } = localVolume(claim(), storageClass(), node("a"), "/v");
  const now = Date.parse("2026-01-01T00:01:00Z");
  const volume = (deletionTimestamp?: string) =>
    ({ ...rest, metadata: { ...metadata, deletionTimestamp } }) as unknown as KubeObject;
  const goes = volume("2026-01-01T00:00:30Z");
  assert.deepEqual(goes.metadata.finalizers, [localVolumes.finalizer]);
  assert.equal(givenUpIn(volume(), [], now), undefined);
  assert.equal(givenUpIn(goes, [node("a"), node("b")], now), undefined);
  assert.equal(givenUpIn(goes, [node("b")], now), 30_000);
  assert.equal(givenUpIn(goes, [node("b")], now + 30_000), 0);
});
