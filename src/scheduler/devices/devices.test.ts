import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../../test/support/controllers.ts";
import { resource } from "../../client/client.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { node } from "../fixtures.ts";
import { startScheduler } from "../scheduler.ts";
import { loadDeviceSelector } from "../../server/cel/device-selector.ts";
import { resourceClaim } from "../../controllers/resource-claim.ts";
import { resourceClaimTemplate } from "../../controllers/resource-claim-template.ts";

const version = "resource.k8s.io/v1";
const claims = { ...resource(version, "resourceclaims"), namespace: "default" };
const templates = { ...resource(version, "resourceclaimtemplates"), namespace: "default" };
const slices = resource(version, "resourceslices");
const classes = resource(version, "deviceclasses");
const pods = { ...resource("v1", "pods"), namespace: "default" };
const nodes = resource("v1", "nodes");
const driver = "gpu.example.com";
const cel = (expression: string) => [{ cel: { expression } }];

/** A scheduler, the controller, two nodes, and two GPUs on the second. */
async function start() {
  const cluster = await startControlled([resourceClaim, resourceClaimTemplate], { collect: true });
  const { client, informer, until } = cluster;
  await startScheduler({
    ...cluster,
    informers: informer,
    event: () => {},
    loadSelector: loadDeviceSelector,
  });
  for (const name of ["plain", "gpus"]) {
    const { status, ...rest } = node(name, {});
    const { uid: _, resourceVersion: __, ...metadata } = rest.metadata;
    await client.create(nodes, { ...rest, metadata });
    await client.patch({ ...nodes, name, subresource: "status" }, "merge", { status });
  }
  await client.create(classes, {
    apiVersion: version,
    kind: "DeviceClass",
    metadata: { name: "gpu" },
    spec: { selectors: cel(`device.driver == "${driver}"`) },
  });
  const gpu = (name: string, memory: string) => ({
    name,
    attributes: { model: { string: "a" } },
    capacity: { memory: { value: memory } },
  });
  await client.create(slices, {
    apiVersion: version,
    kind: "ResourceSlice",
    metadata: { name: "gpus" },
    spec: {
      driver,
      nodeName: "gpus",
      pool: { name: "gpus", generation: 1, resourceSliceCount: 1 },
      devices: [gpu("small", "8Gi"), gpu("large", "40Gi")],
    },
  });
  await client.create(templates, {
    apiVersion: version,
    kind: "ResourceClaimTemplate",
    metadata: { name: "one" },
    spec: { spec: { devices: { requests: [{ name: "r", exactly: { deviceClassName: "gpu" } }] } } },
  });
  const bound = (name: string) =>
    until(pods, (all) => {
      const found = all.find(({ metadata }) => metadata.name === name);
      return found?.spec?.nodeName ? found : undefined;
    });
  return { ...cluster, bound };
}

const podWith = (name: string, resourceClaims: object[]) => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name },
  spec: {
    containers: [{ name: "main", image: "x", resources: { claims: [{ name: "gpu" }] } }],
    resourceClaims,
  },
});
const fromTemplate = [{ name: "gpu", resourceClaimTemplateName: "one" }];
const deviceOf = (claim: KubeObject) => claim["status"].allocation.devices.results[0].device;

test("a pod gets a claim of its own, its devices and a node that has them", async (t) => {
  const { client, scope, bound } = await start();
  t.after(() => scope.close());
  await client.create(pods, podWith("a", fromTemplate));
  const pod = await bound("a");
  assert.equal(pod.spec!.nodeName, "gpus");
  const [{ resourceClaimName: name }] = pod["status"].resourceClaimStatuses;
  const claim = await client.get({ ...claims, name });
  assert.match(name, /^a-gpu-/);
  assert.equal(claim["status"].reservedFor[0].uid, pod.metadata.uid);
  assert.deepEqual(claim.metadata.finalizers, ["resource.kubernetes.io/delete-protection"]);
});

test("devices are nobody's twice, and are given back when a pod is gone", async (t) => {
  const { client, scope, bound, until } = await start();
  t.after(() => scope.close());
  for (const name of ["a", "b", "c"]) await client.create(pods, podWith(name, fromTemplate));
  const first = await until(pods, (all) => {
    const placed = all.filter(({ spec }) => spec!.nodeName);
    return placed.length === 2 && placed;
  });
  const { items } = await client.list(claims);
  const devices = items.filter((one) => one["status"]?.allocation).map(deviceOf);
  assert.deepEqual(devices.toSorted(), ["large", "small"]);
  const waiting = ["a", "b", "c"].find((name) => !first.some((p) => p.metadata.name === name))!;
  // Before, it may be told that its claim is yet to be made.
  await until(pods, (all) =>
    all
      .find(({ metadata }) => metadata.name === waiting)!
      ["status"].conditions?.find((one: any) => /cannot allocate all claims/.test(one.message)),
  );
  await client.delete({ ...pods, name: first[0]!.metadata.name }, { gracePeriodSeconds: 0 });
  assert.equal((await bound(waiting)).spec!.nodeName, "gpus");
});

test("a claim that pods share is chosen by expression and kept until the last is done", async (t) => {
  const { client, scope, bound, until } = await start();
  t.after(() => scope.close());
  const memory = `device.capacity["${driver}"].memory.compareTo(quantity("16Gi")) >= 0`;
  const exactly = { deviceClassName: "gpu", selectors: cel(memory) };
  await client.create(claims, {
    apiVersion: version,
    kind: "ResourceClaim",
    metadata: { name: "shared" },
    spec: { devices: { requests: [{ name: "r", exactly }] } },
  });
  const shared = [{ name: "gpu", resourceClaimName: "shared" }];
  for (const name of ["a", "b"]) await client.create(pods, podWith(name, shared));
  await Promise.all([bound("a"), bound("b")]);
  const claim = await client.get({ ...claims, name: "shared" });
  assert.equal(deviceOf(claim), "large");
  assert.equal(claim["status"].reservedFor.length, 2);
  const finish = (name: string) =>
    client.patch({ ...pods, name, subresource: "status" }, "merge", {
      status: { phase: "Succeeded" },
    } as never);
  await finish("a");
  const half = await until(claims, ([one]) => one?.["status"].reservedFor?.length === 1 && one);
  assert.ok(half["status"].allocation);
  await finish("b");
  await until(claims, ([one]) => !one?.["status"]?.allocation && !one?.metadata.finalizers);
});
