import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Cluster } from "../../test/support/cluster.ts";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { localVolumes } from "../lib/local-volumes.ts";
import { storageProtection } from "../server/admission/storage-protection.ts";
import { localPathController } from "./local-path.ts";
import { persistentVolumeController } from "./persistent-volume.ts";
import { planClaim, planVolume, selectedNodeAnnotation } from "./persistent-volume/plan.ts";
import { claimProtection, volumeProtection } from "./volume-protection.ts";

const claims = { ...resource("v1", "persistentvolumeclaims"), namespace: "default" };
const volumes = resource("v1", "persistentvolumes");
const pods = { ...resource("v1", "pods"), namespace: "default" };

let cluster: Cluster;
beforeEach(async () => {
  cluster = await startControlled(
    [persistentVolumeController, localPathController, claimProtection, volumeProtection],
    { admission: () => [storageProtection] },
  );
});
afterEach(() => cluster.scope.close());

const makeClaim = (name: string, storage: string, more: object = {}) =>
  cluster.client.create(claims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name },
    spec: {
      storageClassName: "",
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage } },
      ...more,
    },
  });

const makeVolume = (name: string, storage: string, more: object = {}) =>
  cluster.client.create(volumes, {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: {
      capacity: { storage },
      accessModes: ["ReadWriteOnce"],
      hostPath: { path: `/srv/${name}` },
      ...more,
    },
  });

const phaseIs = (of: typeof volumes, name: string, phase: string) =>
  cluster.until(of, (all) =>
    all.find((one) => one.metadata.name === name && one.status?.phase === phase),
  );

test("a claim gets the smallest volume that holds it, and both say so", async () => {
  await makeVolume("large", "10Gi");
  await makeVolume("fitting", "2Gi");
  await makeVolume("small", "500Mi");
  await phaseIs(volumes, "fitting", "Available");
  await makeClaim("data", "1Gi");
  const claim = await phaseIs(claims, "data", "Bound");
  assert.equal(claim.spec.volumeName, "fitting");
  assert.deepEqual(claim.status.capacity, { storage: "2Gi" });
  const volume = await phaseIs(volumes, "fitting", "Bound");
  assert.equal(volume.spec.claimRef.uid, claim.metadata.uid);
});

test("a claim waits for a volume that comes later", async () => {
  await makeClaim("data", "1Gi");
  await phaseIs(claims, "data", "Pending");
  await makeVolume("late", "1Gi");
  await phaseIs(claims, "data", "Bound");
});

test("a claim in use stays until its pod is over; its volume is released and kept", async () => {
  await makeVolume("disk", "1Gi");
  await makeClaim("data", "1Gi");
  await phaseIs(claims, "data", "Bound");
  await cluster.client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "user" },
    spec: {
      nodeName: "n",
      containers: [{ name: "main", image: "app" }],
      volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
    },
  });
  await cluster.until(pods, (all) => all.length === 1);
  await cluster.client.delete({ ...claims, name: "data" });
  const held = await cluster.client.get({ ...claims, name: "data" });
  assert.ok(held.metadata.deletionTimestamp);
  await cluster.client.delete({ ...pods, name: "user" }, { gracePeriodSeconds: 0 });
  await cluster.until(claims, (all) => all.length === 0);
  await phaseIs(volumes, "disk", "Released");
});

test("a volume is made on the node that was chosen for the claim, and goes with it", async () => {
  await cluster.client.create(resource("v1", "nodes"), {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "n", annotations: { [localVolumes.directoryAnnotation]: "/data/volumes" } },
  });
  await cluster.client.create(resource("storage.k8s.io/v1", "storageclasses"), {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name: "local-path" },
    provisioner: localVolumes.provisioner,
    reclaimPolicy: "Delete",
    volumeBindingMode: "WaitForFirstConsumer",
  });
  const { metadata } = await makeClaim("data", "1Gi", { storageClassName: "local-path" });
  await phaseIs(claims, "data", "Pending");
  await cluster.client.patch({ ...claims, name: "data" }, "merge", {
    metadata: { annotations: { [selectedNodeAnnotation]: "n" } },
  });
  await phaseIs(claims, "data", "Bound");
  const name = `pvc-${metadata.uid}`;
  const volume = await cluster.client.get({ ...volumes, name });
  assert.equal(volume.spec.local.path, `/data/volumes/${name}_default_data`);
  await cluster.client.delete({ ...claims, name: "data" });
  const leaving = await cluster.until(volumes, ([one]) => one?.metadata.deletionTimestamp && one);
  assert.ok(leaving);
  // The node's part: the folder is gone.
  await cluster.until(volumes, ([one]) => one?.metadata.finalizers?.length === 1);
  await cluster.client.patch({ ...volumes, name }, "merge", { metadata: { finalizers: [] } });
  await cluster.until(volumes, (all) => all.length === 0);
});

const claim: any = {
  metadata: { name: "c", namespace: "d", uid: "1", annotations: {} },
  spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
};
const volume: any = {
  metadata: { name: "v" },
  spec: { capacity: { storage: "1Gi" }, accessModes: ["ReadWriteOnce"] },
};
const kept = (uid: string) => ({
  ...volume,
  spec: { ...volume.spec, claimRef: { namespace: "d", name: "c", uid } },
});

test("a volume that is kept for the claim is taken before any other", () => {
  const mine = { ...kept("1"), metadata: { name: "mine" } };
  assert.equal(planClaim(claim, [volume, mine], undefined).bind, mine);
  assert.equal(planClaim(claim, [volume], undefined).keep, volume);
  assert.equal(planClaim(claim, [kept("another")], undefined).bind, undefined);
});

test("a bound claim whose volume is gone is lost, and says so once", () => {
  const bound = {
    ...claim,
    metadata: { ...claim.metadata, annotations: { "pv.kubernetes.io/bind-completed": "yes" } },
    spec: { ...claim.spec, volumeName: "v" },
  };
  const plan = planClaim(bound, [], undefined);
  assert.deepEqual(plan.status, { phase: "Lost" });
  assert.equal(plan.event?.reason, "ClaimLost");
  assert.deepEqual(planClaim({ ...bound, status: { phase: "Lost" } }, [], undefined), {});
});

test("a volume is never removed while its claim lives, nor when somebody else made it", () => {
  const made = {
    ...kept("1"),
    metadata: {
      name: "v",
      annotations: { "pv.kubernetes.io/provisioned-by": localVolumes.provisioner },
    },
  };
  made.spec.persistentVolumeReclaimPolicy = "Delete";
  assert.equal(planVolume(made, claim).remove, undefined);
  assert.equal(planVolume(made, undefined).remove, true);
  const annotations = { "pv.kubernetes.io/provisioned-by": "disk.example.com" };
  for (const metadata of [{ name: "v" }, { name: "v", annotations }]) {
    assert.equal(planVolume({ ...made, metadata }, undefined).remove, undefined);
  }
});
