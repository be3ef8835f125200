import assert from "node:assert/strict";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { mkdir, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { eventually } from "../../../test/support/eventually.ts";
import { startCluster } from "../../../test/support/cluster.ts";
import type { Cluster } from "../../../test/support/cluster.ts";
import { resource } from "../../client/client.ts";
import { attachmentName } from "../../lib/attachment-name.ts";
import { watchPlugins } from "../devices/plugin-watcher.ts";
import type { Pod } from "../pods/pod.ts";
import { measureVolumes } from "../pages/volume-measures.ts";
import { csiVolume, csi as inline, releaseCsi } from "../volumes/csi.ts";
import { sourceOf } from "../volumes/csi-source.ts";
import type { Held } from "../volumes/held.ts";
import { CsiDrivers, withDriver } from "./drivers.ts";
import { FakeCsiDriver } from "./fake-csi-driver.ts";
import { growAtNode } from "./grow.ts";
import { VolumesInUse } from "./volumes-in-use.ts";

let folder: string;
let cluster: Cluster;
let drivers: CsiDrivers;
let driver: FakeCsiDriver;

before(async () => {
  folder = mkdtempSync("/tmp/kerb-csi-");
  cluster = startCluster();
  const { client, clock, log, scope } = cluster;
  const spec = {};
  await client.create(resource("v1", "nodes"), {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "edge" },
    spec,
  });
  drivers = new CsiDrivers({
    client,
    nodeName: "edge",
    kubeletDirectory: folder,
    clock,
    log,
    scope,
  });
  const registry = join(folder, "plugins_registry");
  const handlers = { CSIPlugin: drivers.handler };
  await watchPlugins({ directory: registry, handlers, clock, log, scope });
  driver = new FakeCsiDriver({
    registry,
    name: "disk.example.com",
    can: ["stages", "expands", "tellsUsage", "tellsCondition"],
  });
  await driver.start();
});
after(async () => {
  driver.stop();
  await cluster.scope.close();
  rmSync(folder, { recursive: true });
});

const volume = {
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name: "pv-1" },
  spec: {
    accessModes: ["ReadWriteMany"],
    csi: { driver: "disk.example.com", volumeHandle: "vol-1", volumeAttributes: { a: "b" } },
  },
} as any;

function contextOf(uid: string, held: Held[], more: object = {}) {
  const pod = { metadata: { name: "web", namespace: "shop", uid }, spec: { containers: [] } };
  return {
    pod: pod as unknown as Pod,
    client: cluster.client,
    csi: drivers,
    clock: cluster.clock,
    facts: { nodeName: "edge", hostIps: [], allocatable: {} },
    hold: async (details: object) => void held.push({ type: "csi", ...details }),
    ...more,
  } as any;
}

test("a driver that registers is in the node's CSINode, and its places are the node's labels", async () => {
  const csiNodes = resource("storage.k8s.io/v1", "csinodes");
  const found = await eventually(
    () => cluster.client.get({ ...csiNodes, name: "edge" }),
    "the CSINode",
  );
  assert.deepEqual(found.spec.drivers, [
    { name: "disk.example.com", nodeID: "machine-1", topologyKeys: ["example.com/rack"] },
  ]);
  const node = await cluster.client.get({ ...resource("v1", "nodes"), name: "edge" });
  assert.equal(node.metadata.labels?.["example.com/rack"], "r1");
  assert.deepEqual(withDriver(found.spec.drivers, "disk.example.com", undefined), []);
});

test("a volume waits to be attached, is staged once and published for each pod, and given back", async () => {
  const held: Held[] = [];
  const source = sourceOf(volume, false);
  await assert.rejects(csiVolume(contextOf("u1", held), source), /vol-1 is not attached yet/);
  const attachments = resource("storage.k8s.io/v1", "volumeattachments");
  const name = attachmentName("vol-1", "disk.example.com", "edge");
  await cluster.client.create(attachments, {
    apiVersion: "storage.k8s.io/v1",
    kind: "VolumeAttachment",
    metadata: { name },
    spec: {
      attacher: "disk.example.com",
      nodeName: "edge",
      source: { persistentVolumeName: "pv-1" },
    },
  });
  const status = { attached: true, attachmentMetadata: { path: "/dev/x" } };
  await cluster.client.patch({ ...attachments, name, subresource: "status" }, "merge", { status });
  const made = await csiVolume(contextOf("u1", held), source);
  await csiVolume(contextOf("u2", held), source);
  assert.equal(readFileSync(join(made.hostPath, "hello"), "utf8"), "from the driver");
  assert.deepEqual(driver.asked.get("NodeStageVolume").publish_context, { path: "/dev/x" });
  const { volume_context, volume_capability } = driver.asked.get("NodePublishVolume");
  assert.deepEqual(volume_context, { a: "b" });
  assert.equal(volume_capability.access_mode.mode, 5);
  const [first, second] = held as [Held, Held];
  const release = (one: Held, isHeldByOthers: boolean) =>
    releaseCsi({ csi: drivers, isHeldByOthers: async () => isHeldByOthers } as any, one);
  driver.calls.length = 0;
  await release(first, true);
  await release(second, false);
  assert.deepEqual(driver.calls, [
    "NodeUnpublishVolume vol-1",
    "NodeUnpublishVolume vol-1",
    "NodeUnstageVolume vol-1",
  ]);
  assert.equal(existsSync(join(folder, "pods/u1")), false);
});

test("what is mounted is in use from before it is staged until its driver has it back", async () => {
  const name = "kubernetes.io/csi/disk.example.com^vol-1";
  const told: string[][] = [];
  drivers.inUse.onChange = async () => void told.push(drivers.inUse.names());
  const held: Held[] = [];
  const context = contextOf("u5", held);
  await csiVolume(context, sourceOf(volume, false));
  assert.deepEqual(told, [[name]]);
  await csiVolume({ ...context, isAgain: true }, sourceOf(volume, false));
  assert.equal(held.length, 1, "what is there is not taken again");
  await mkdir(join(folder, "own/u5/held"), { recursive: true });
  await writeFile(join(folder, "own/u5/held/v.json"), JSON.stringify(held[0]));
  const later = new VolumesInUse();
  await later.load(join(folder, "own"));
  assert.deepEqual(later.names(), [name], "also after Kerb started anew");
  await releaseCsi({ csi: drivers, isHeldByOthers: async () => false } as any, held[0]!);
  assert.deepEqual(told, [[name], []]);
});

test("a volume that became larger is grown at its node, and its claim says so", async () => {
  const { client } = cluster;
  const claims = { ...resource("v1", "persistentvolumeclaims"), namespace: "shop" };
  const volumes = resource("v1", "persistentvolumes");
  const larger = { ...volume.spec, capacity: { storage: "2Gi" } };
  await client.create(volumes, { ...volume, spec: larger });
  const spec = {
    accessModes: ["ReadWriteMany"],
    resources: { requests: { storage: "2Gi" } },
    volumeName: "pv-1",
  };
  const claim = await client.create(claims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data" },
    spec,
  });
  const status = {
    capacity: { storage: "1Gi" },
    allocatedResourceStatuses: { storage: "NodeResizePending" },
    conditions: [{ type: "FileSystemResizePending", status: "True" }],
  };
  await client.patch({ ...claims, name: "data", subresource: "status" }, "merge", { status });
  const context = { ...contextOf("u6", []), event: () => {} };
  const { driven } = await csiVolume(context, sourceOf(volume, false));
  await growAtNode(context, context.pod, { driven: driven!, claimName: "data" });
  const asked = driver.asked.get("NodeExpandVolume");
  assert.deepEqual(
    [asked.volume_path, asked.staging_target_path, asked.capacity_range.required_bytes],
    [driven!.target, driven!.staging, 2 * 2 ** 30],
  );
  const grown = await client.get({ ...claims, name: claim.metadata.name });
  assert.equal(grown.status.capacity.storage, "2Gi");
  assert.deepEqual(grown.status.conditions ?? [], []);
  const [measured] = await measureVolumes(
    drivers,
    new Map([["v", { hostPath: driven!.target, driven: driven!, claimName: "data" }]]),
  );
  assert.deepEqual(measured, {
    name: "v",
    claim: "data",
    bytes: { available: 60, capacity: 100, used: 40 },
    inodes: { available: 6, capacity: 10, used: 4 },
    isAbnormal: true,
  });
  driver.asked.delete("NodeExpandVolume");
  await growAtNode(context, context.pod, { driven: driven!, claimName: "data" });
  assert.equal(driver.asked.has("NodeExpandVolume"), false, "once");
});

test("a driver that asks for it is told of the pod; a volume of a driver unknown here waits", async () => {
  const csiDrivers = resource("storage.k8s.io/v1", "csidrivers");
  await cluster.client.create(csiDrivers, {
    apiVersion: "storage.k8s.io/v1",
    kind: "CSIDriver",
    metadata: { name: "disk.example.com" },
    spec: {
      attachRequired: false,
      podInfoOnMount: true,
      volumeLifecycleModes: ["Ephemeral"],
      tokenRequests: [{ audience: "vault" }],
      requiresRepublish: true,
    },
  });
  const own = { name: "own", csi: { driver: "disk.example.com", volumeAttributes: { size: "1" } } };
  const expirationTimestamp = "2026-01-01T01:00:00Z";
  const client = {
    get: cluster.client.get.bind(cluster.client),
    create: async (_: object, { spec }: any) => ({
      status: { token: `for ${spec.audiences}`, expirationTimestamp },
    }),
  };
  const made = await inline.prepare(contextOf("u3", [], { volume: own, client }));
  assert.ok(made.refreshAt! > cluster.clock.now(), "it is published anew");
  const { volume_context: told } = driver.asked.get("NodePublishVolume");
  assert.equal(told["csi.storage.k8s.io/pod.name"], "web");
  assert.equal(told["csi.storage.k8s.io/ephemeral"], "true");
  assert.equal(told.size, "1");
  const tokens = JSON.parse(told["csi.storage.k8s.io/serviceAccount.tokens"]);
  assert.deepEqual(tokens, { vault: { token: "for vault", expirationTimestamp } });
  await assert.rejects(
    csiVolume(contextOf("u3", []), sourceOf(volume, false)),
    /volume mode "Persistent" not supported by driver disk.example.com \(only supports \["Ephemeral"\]\)/,
  );
  const other = { name: "own", csi: { driver: "other.example.com" } };
  await assert.rejects(
    inline.prepare(contextOf("u4", [], { volume: other })),
    /driver name other.example.com not found in the list of registered CSI drivers/,
  );
});

test("a driver that does not answer yet is asked again, and one that was killed registers when it is back", async () => {
  const registry = join(folder, "plugins_registry");
  const name = "slow.example.com";
  const slow = new FakeCsiDriver({ registry, name, silences: 1 });
  await slow.start();
  const first = drivers.find(name);
  assert.ok(first);
  // A driver that is killed leaves its socket, and makes another in its place.
  const socket = join(registry, `${name}.sock`);
  await rename(socket, `${socket}.old`);
  const again = new FakeCsiDriver({ registry, name });
  await again.start();
  assert.notEqual(drivers.find(name), first);
  for (const one of [slow, again]) one.stop();
});
