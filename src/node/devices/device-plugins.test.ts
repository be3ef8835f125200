import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { startCluster } from "../../../test/support/cluster.ts";
import type { Cluster } from "../../../test/support/cluster.ts";
import { resource } from "../../client/client.ts";
import { Informers } from "../../client/informers.ts";
import { systemClock as clock } from "../../lib/clock.ts";
import { GrpcConnection } from "../../lib/grpc.ts";
import { silent } from "../../lib/log.ts";
import { systemRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { startAgent } from "../agent.ts";
import { FakeRuntime } from "../fake-runtime.ts";
import { noMounts } from "../machine/mounts.ts";
import { FakeDevicePlugin } from "./fake-device-plugin.ts";
import type { FakePluginOptions } from "./fake-device-plugin.ts";
import { FakeDriver } from "./fake-driver.ts";
import { lister, registration } from "./protocols.ts";

const pods = { ...resource("v1", "pods"), namespace: "default" };
const nodes = resource("v1", "nodes");
const gpu = "example.com/gpu";

let cluster: Cluster;
let directory: string;
let runtime: FakeRuntime;
let node: Scope;
let plugins: FakeDevicePlugin[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "dp-"));
  cluster = startCluster();
  runtime = new FakeRuntime({ clock });
  plugins = [];
  await start();
});
afterEach(async () => {
  for (const plugin of plugins) plugin.stop();
  await node.close();
  await cluster.scope.close();
  await rm(directory, { recursive: true, force: true });
});

async function start() {
  node = new Scope();
  const { client } = cluster;
  await startAgent({
    client,
    informers: new Informers({ client, clock, log: silent, scope: node }),
    runtime,
    nodeName: "edge",
    directory,
    kubeletDirectory: join(directory, "kubelet"),
    clock,
    random: systemRandom,
    log: silent,
    scope: node,
    podCidrs: ["10.85.0.0/24"],
    addresses: ["10.85.0.1"],
    clusterDomain: "cluster.local",
    dnsServiceIps: ["10.96.0.10"],
    version: "v1.36.0",
    cgroupRoot: "",
    mounts: noMounts,
  });
}

async function plug(
  devices: FakePluginOptions["devices"],
  more: Partial<FakePluginOptions> = {},
): Promise<FakeDevicePlugin> {
  const socketDirectory = join(directory, "kubelet/device-plugins");
  const plugin = new FakeDevicePlugin({ socketDirectory, resource: gpu, devices, ...more });
  plugins.push(plugin);
  await plugin.start();
  return plugin;
}

const untilNode = (capacity: string, allocatable: string) =>
  cluster.until(nodes, ([one]) => {
    const { status } = one ?? {};
    return status?.capacity?.[gpu] === capacity && status.allocatable[gpu] === allocatable;
  });
const asking = (count: number, name = "main") => ({
  name,
  image: "app",
  resources: { limits: { [gpu]: String(count) }, requests: { [gpu]: String(count) } },
});
const run = (name: string, count: number, spec: object = {}) =>
  cluster.client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { nodeName: "edge", containers: [asking(count)], ...spec },
  });
const untilPod = (name: string, phase: string) =>
  cluster.until(pods, (all) =>
    all.find(({ metadata, status }) => metadata.name === name && status?.phase === phase),
  );
/** From now on nothing stops before it is let go. */
function holdContainers() {
  const gate = Promise.withResolvers<void>();
  const fake = runtime;
  const stopContainer = fake.stopContainer.bind(fake);
  const stopSandbox = fake.stopSandbox.bind(fake);
  fake.stopContainer = (id) => gate.promise.then(() => stopContainer(id));
  fake.stopSandbox = (id) => gate.promise.then(() => stopSandbox(id));
  return gate.resolve;
}
const forceDelete = (name: string) =>
  cluster.client.delete({ ...pods, name }, { gracePeriodSeconds: 0 });

async function heldNow(): Promise<Record<string, string[]>> {
  const path = join(directory, "kubelet/pod-resources/kubelet.sock");
  const connection = new GrpcConnection(`unix://${path}`);
  const list = { List: ["ListPodResourcesRequest", "ListPodResourcesResponse"] } as const;
  const names = list as unknown as Record<"List", [string, string]>;
  try {
    const { pod_resources: all } = await connection
      .service(lister.path, lister.types, names)
      .call("List", {});
    const ids = (pod: any) =>
      pod.containers.flatMap(({ devices }: any) => devices.flatMap((one: any) => one.device_ids));
    const held = all.map((pod: any) => [pod.name, ids(pod)] as const);
    return Object.fromEntries(held.filter(([, has]: any) => has.length > 0));
  } finally {
    connection.close();
  }
}

/** A pod that asks for the only device is neither refused nor served before `letGo`. */
async function waitsUntil(letGo: () => void, plugin: FakeDevicePlugin, holder: string) {
  const given = plugin.calls.length;
  await run("next", 1);
  // One without devices is admitted meanwhile, after it.
  await run("other", 0);
  await untilPod("other", "Running");
  assert.deepEqual(await heldNow(), { [holder]: ["a"] });
  assert.equal(plugin.calls.length, given);
  letGo();
  await untilPod("next", "Running");
  assert.deepEqual(await heldNow(), { next: ["a"] });
  assert.deepEqual(plugin.calls.slice(given), ["allocate a"]);
}
const configOf = (podName: string) => {
  const sandbox = [...runtime.sandboxes.values()].find(({ name }) => name === podName)!;
  const of = [...runtime.containers.values()].filter(({ sandboxId }) => sandboxId === sandbox.id);
  return runtime.configs.get(of.at(-1)!.id)!;
};

test("a plugin's devices are the node's, and a container gets what the plugin says", async () => {
  const plugin = await plug({ a: "Healthy", b: "Healthy", c: "Unhealthy" });
  await untilNode("3", "2");
  await run("train", 2);
  await untilPod("train", "Running");
  const { env, mounts, devices, annotations } = configOf("train");
  assert.ok(env.some(({ name, value }) => name === "DEVICES" && value === "a,b"));
  assert.equal(annotations["example.com/devices"], "a,b");
  assert.deepEqual(
    devices.map((one) => one.containerPath),
    ["/dev/a", "/dev/b"],
  );
  const driver = mounts.find((one) => one.containerPath === "/lib/driver");
  assert.deepEqual([driver?.hostPath, driver?.readOnly], ["/opt/driver", true]);
  const told = (health: string) =>
    cluster.until(pods, (all) => {
      const [status] = all.find(({ metadata }) => metadata.name === "train")?.status
        .containerStatuses ?? [{}];
      const [of] = status.allocatedResourcesStatus ?? [];
      return of?.name === gpu && of.resources[1].resourceID === "b"
        ? of.resources[1].health === health
        : undefined;
    });
  await told("Healthy");
  plugin.set("b", "Unhealthy");
  await untilNode("3", "1");
  await told("Unhealthy");
});

test("no device is given twice, and the next pod gets what the last gave back", async () => {
  const plugin = await plug({ a: "Healthy", b: "Healthy" });
  await untilNode("2", "2");
  await run("one", 1);
  await untilPod("one", "Running");
  await run("two", 1);
  await untilPod("two", "Running");
  assert.deepEqual(plugin.calls, ["allocate a", "allocate b"]);
  await cluster.client.delete({ ...pods, name: "one" });
  await cluster.until(pods, (all) => all.every(({ metadata }) => metadata.name !== "one"));
  await run("three", 1);
  await untilPod("three", "Running");
  assert.equal(plugin.calls.at(-1), "allocate a");
});

test("a pod that was deleted by force keeps its devices while its containers run; the next waits", async () => {
  const plugin = await plug({ a: "Healthy" });
  await untilNode("1", "1");
  await run("train", 1);
  await untilPod("train", "Running");
  const letGo = holdContainers();
  await forceDelete("train");
  await waitsUntil(letGo, plugin, "train");
});

test("a pod that was deleted while nobody watched keeps its devices while its containers run", async () => {
  const first = await plug({ a: "Healthy" });
  await untilNode("1", "1");
  await run("train", 1);
  await untilPod("train", "Running");
  await node.close();
  await forceDelete("train");
  const letGo = holdContainers();
  await start();
  first.stop();
  const plugin = await plug({ a: "Healthy" });
  await untilNode("1", "1");
  await waitsUntil(letGo, plugin, "train");
});

test("a pod that others call failed keeps its devices while its containers run", async () => {
  const plugin = await plug({ a: "Healthy" });
  await untilNode("1", "1");
  await run("train", 1);
  await untilPod("train", "Running");
  const letGo = holdContainers();
  const target = { ...pods, name: "train", subresource: "status" };
  await cluster.client.patch(target, "merge", { status: { phase: "Failed" } });
  await waitsUntil(letGo, plugin, "train");
});

test("a pod that waits for a device can be deleted, and one that nobody gives back is not waited for", async () => {
  const plugin = await plug({ a: "Healthy" });
  await untilNode("1", "1");
  await run("train", 1);
  await untilPod("train", "Running");
  await run("more", 1);
  const { status } = await untilPod("more", "Failed");
  assert.match(status.message, /Requested: 1, Available: 0|Node didn't have enough resource/);
  const letGo = holdContainers();
  await forceDelete("train");
  await run("next", 1);
  await cluster.client.delete({ ...pods, name: "next" });
  await cluster.until(pods, (all) => all.every(({ metadata }) => metadata.name !== "next"));
  letGo();
  assert.deepEqual(plugin.calls, ["allocate a"]);
});

test("a plugin chooses, and is told before a container starts", async () => {
  const options = { get_preferred_allocation_available: true, pre_start_required: true };
  const plugin = await plug({ a: "Healthy", b: "Healthy", c: "Healthy" }, { options });
  await untilNode("3", "3");
  const initContainers = [asking(1, "init")];
  await run("train", 2, { initContainers });
  await cluster.until(pods, ([one]) => one?.status?.initContainerStatuses?.[0]?.state.running);
  assert.deepEqual(plugin.calls, [
    "prefer 1 of a,b,c",
    "allocate c",
    "prefer 2 of c,a,b",
    "allocate c,a",
    "prestart c",
  ]);
});

test("a pod whose devices are refused fails and says why", async () => {
  await plug({ a: "Healthy" }, { refuse: "the device is on fire" });
  await untilNode("1", "1");
  await run("train", 1);
  const { status } = await untilPod("train", "Failed");
  assert.equal(status.reason, "UnexpectedAdmissionError");
  assert.match(status.message, /Allocate failed due to .*the device is on fire/);
});

test("what was given out is known after a restart, before the plugin comes back", async () => {
  const plugin = await plug({ a: "Healthy", b: "Healthy" });
  await untilNode("2", "2");
  await run("train", 1);
  await untilPod("train", "Running");
  plugin.stop();
  await untilNode("2", "0");
  await node.close();
  await start();
  await untilNode("0", "0");
  const back = await plug({ a: "Healthy", b: "Healthy" });
  await untilNode("2", "2");
  await run("more", 1);
  await untilPod("more", "Running");
  assert.deepEqual(back.calls, ["allocate b"]);
});

test("of a plugin that answers for each device the first answer counts, as with a kubelet", async () => {
  await plug({ a: "Healthy", b: "Healthy" }, { answers: 2 });
  await untilNode("2", "2");
  await run("each", 2);
  await untilPod("each", "Running");
  const { env } = configOf("each");
  assert.deepEqual(
    env.filter(({ name }) => name === "DEVICES").map(({ value }) => value),
    ["a"],
  );
  assert.deepEqual(Object.values(await heldNow()).flat(), ["a", "b"]);
});

test("a plugin that answers for no container gives nothing", async () => {
  await plug({ a: "Healthy" }, { answers: 0 });
  await untilNode("1", "1");
  await run("none", 1);
  const { status } = await untilPod("none", "Failed");
  assert.match(status.message, /no containers return in allocation response/);
});

test("a registration that cannot be is refused", async () => {
  const path = join(directory, "kubelet/device-plugins/kubelet.sock");
  const connection = new GrpcConnection(`unix://${path}`);
  const names = { Register: ["RegisterRequest", "Empty"] as [string, string] };
  const service = connection.service(registration.path, registration.types, names);
  const asked = { version: "v1beta1", endpoint: "x.sock", resource_name: gpu };
  for (const [wrong, why] of [
    [{ version: "v1" }, /API version "v1" is not supported/],
    [{ resource_name: "cpu" }, /ResourceName "cpu" is invalid/],
    [{ endpoint: "../x.sock" }, /endpoint .* is invalid/],
  ] as const) {
    await assert.rejects(service.call("Register", { ...asked, ...wrong }), why);
  }
  connection.close();
});

test("who has which devices is told to those who ask", async () => {
  await plug({ a: "Healthy", b: "Healthy" });
  await untilNode("2", "2");
  await run("train", 1);
  await untilPod("train", "Running");
  const path = join(directory, "kubelet/pod-resources/kubelet.sock");
  const connection = new GrpcConnection(`unix://${path}`);
  const service = connection.service(lister.path, lister.types, {
    List: ["ListPodResourcesRequest", "ListPodResourcesResponse"],
    Get: ["GetPodResourcesRequest", "GetPodResourcesResponse"],
    GetAllocatableResources: ["AllocatableResourcesRequest", "AllocatableResourcesResponse"],
  });
  const { pod_resources: [pod] = [] } = await service.call("List", {});
  assert.equal(pod.name, "train");
  const [{ resource_name: name, device_ids: ids }] = pod.containers[0].devices;
  assert.deepEqual([name, ids], [gpu, ["a"]]);
  const { devices } = await service.call("GetAllocatableResources", {});
  assert.deepEqual(devices[0].device_ids, ["a", "b"]);
  const asked = { pod_name: "other", pod_namespace: "default" };
  await assert.rejects(service.call("Get", asked), /pod other in namespace default not found/);
  connection.close();
});

test("a pod waits for the driver of its claim, and gives the claim back when it has ended", async () => {
  const { client, until } = cluster;
  const claims = { ...resource("resource.k8s.io/v1", "resourceclaims"), namespace: "default" };
  const events = { ...resource("v1", "events"), namespace: "default" };
  const name = "driver.example.com";
  const request = { name: "gpu", exactly: { deviceClassName: "gpu" } };
  await client.create(claims, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name: "mine" },
    spec: { devices: { requests: [request] } },
  });
  const main = { name: "main", image: "app", resources: { claims: [{ name: "gpu" }] } };
  const resourceClaims = [{ name: "gpu", resourceClaimName: "mine" }];
  const pod = await run("train", 0, { containers: [main], resourceClaims });
  const results = [{ request: "gpu", driver: name, pool: "a", device: "gpu-0" }];
  const { uid } = pod.metadata;
  await client.patch({ ...claims, name: "mine", subresource: "status" }, "merge", {
    status: {
      allocation: { devices: { results } },
      reservedFor: [{ resource: "pods", name: "train", uid }],
    },
  });
  const told = await until(events, (all) =>
    all.find(
      (event) =>
        event["reason"] === "FailedPrepareDynamicResources" &&
        /driver.example.com is not registered/.test(event["message"] as string),
    ),
  );
  assert.ok(told);
  assert.equal(runtime.containers.size, 0);
  const registry = join(directory, "kubelet/plugins_registry");
  const driver = new FakeDriver({ registry, name, cdiDevices: [] });
  await driver.start();
  await untilPod("train", "Running");
  assert.deepEqual(driver.calls, ["Prepare mine"]);
  await client.delete({ ...pods, name: "train" });
  await until(pods, (all) => all.length === 0);
  assert.deepEqual(driver.calls, ["Prepare mine", "Unprepare mine"]);
  driver.stop();
});
