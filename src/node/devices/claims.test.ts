import assert from "node:assert/strict";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { afterEach, beforeEach, test } from "node:test";
import { startCluster } from "../../../test/support/cluster.ts";
import type { Cluster } from "../../../test/support/cluster.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { resource } from "../../client/client.ts";
import { systemClock } from "../../lib/clock.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { Scope } from "../../lib/scope.ts";
import type { Pod } from "../pods/pod.ts";
import { PreparedClaims } from "./claims.ts";
import { FakeDriver } from "./fake-driver.ts";
import type { FakeDriverOptions } from "./fake-driver.ts";
import { watchPlugins } from "./plugin-watcher.ts";

const claims = { ...resource("resource.k8s.io/v1", "resourceclaims"), namespace: "default" };
const driver = "gpu.example.com";

let cluster: Cluster;
let clock: FakeClock;
let directory: string;
let scope: Scope;
let prepared: PreparedClaims;
let fake: FakeDriver | undefined;

beforeEach(async () => {
  clock = new FakeClock();
  directory = await mkdtemp(join(tmpdir(), "dra-"));
  cluster = startCluster();
  await open();
});
afterEach(async () => {
  fake?.stop();
  fake = undefined;
  await scope.close();
  await cluster.scope.close();
  await rm(directory, { recursive: true, force: true });
});

const registry = () => join(directory, "plugins_registry");
const statePath = () => join(directory, "claims.json");

async function open() {
  scope = new Scope();
  prepared = await PreparedClaims.open(cluster.client, clock, statePath());
  scope.defer(() => prepared.close());
  const handlers = { DRAPlugin: prepared.handler };
  await watchPlugins({ directory: registry(), handlers, clock: systemClock, log: silent, scope });
}

async function startDriver(
  versions = ["v1.DRAPlugin"],
  more: Pick<FakeDriverOptions, "tellsHealth"> = {},
) {
  fake = new FakeDriver({ registry: registry(), name: driver, versions, ...more });
  await fake.start();
}

const podNamed = (name: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default", uid: `uid-${name}` } as never,
  spec: {
    containers: [{ name: "main", image: "app", resources: { claims: [{ name: "gpu" }] } as never }],
    resourceClaims: [{ name: "gpu", resourceClaimName: "shared" }],
  },
});
const [one, two] = [podNamed("one"), podNamed("two")];
const devicesOf = (pod: Pod) =>
  prepared.of(pod, pod.spec.containers[0]!).flatMap(({ devices }) => devices);

async function claim(...pods: Pod[]) {
  await cluster.client.create(claims, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name: "shared" },
    spec: { devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu" } }] } },
  });
  const results = [{ request: "gpu", driver, pool: "a", device: "gpu-0" }];
  const reservedFor = pods.map(({ metadata: { name, uid } }) => ({ resource: "pods", name, uid }));
  await cluster.client.patch({ ...claims, name: "shared", subresource: "status" }, "merge", {
    status: { allocation: { devices: { results } }, reservedFor },
  });
}

test("a driver prepares a claim once, and takes it back after the last pod", async () => {
  await startDriver();
  await claim(one, two);
  await prepared.prepare(one);
  await prepared.prepare(two);
  await prepared.prepare(two);
  assert.deepEqual(devicesOf(one)[0]?.cdi_device_ids, ["example.com/gpu=0"]);
  await prepared.unprepare("uid-one");
  assert.deepEqual(fake!.calls, ["Prepare shared"]);
  await prepared.unprepare("uid-two");
  await prepared.unprepare("uid-two");
  assert.deepEqual(fake!.calls, ["Prepare shared", "Unprepare shared"]);
});

test("a pod waits for a driver that is not there, and for a claim that is not its own", async () => {
  await claim(one);
  await assert.rejects(prepared.prepare(one), /DRA driver gpu.example.com is not registered/);
  await startDriver();
  await prepared.prepare(one);
  await assert.rejects(prepared.prepare(two), /not allocated and reserved/);
});

test("what a driver refuses is tried again, and taken back though it failed", async () => {
  await startDriver();
  await claim(one);
  fake!.trouble = "no power";
  await assert.rejects(prepared.prepare(one), /failed for ResourceClaim shared: no power/);
  fake!.trouble = "";
  assert.deepEqual(devicesOf(one), []);
  await prepared.unprepare("uid-one");
  assert.deepEqual(fake!.calls, ["Prepare shared", "Unprepare shared"]);
});

test("what was prepared is known after a restart, and given back for pods that are gone", async () => {
  await startDriver();
  await claim(one);
  await prepared.prepare(one);
  await scope.close();
  await open();
  assert.equal(devicesOf(one)[0]?.device_name, "gpu-0");
  await prepared.prepare(one);
  await prepared.retain(new Set());
  assert.deepEqual(fake!.calls, ["Prepare shared", "Unprepare shared"]);
  assert.equal(await readFile(statePath(), "utf8"), "[]");
});

test("a driver of another version is told why it is not registered", async () => {
  await startDriver(["v1alpha2.Node"]);
  assert.match(fake!.told[0]!, /v1alpha2.Node is v1.DRAPlugin or v1beta1.DRAPlugin/);
});

test("a driver of the version before is asked in its own", async () => {
  await startDriver(["v1beta1.DRAPlugin"]);
  await claim(one);
  await prepared.prepare(one);
  assert.deepEqual(fake!.calls, ["Prepare shared"]);
});

const healthOf = (pod: Pod) => prepared.healthOf(pod, pod.spec.containers[0]!);
const told = (health: string, more: object = {}) => [
  { name: "claim:gpu", resources: [{ resourceID: "example.com/gpu=0", health, ...more }] },
];

for (const tellsHealth of ["v1", "v1alpha1"] as const) {
  test(`a container's status tells how a claim's device is, as its driver says (${tellsHealth})`, async () => {
    let changes = 0;
    prepared.health.onChange = () => changes++;
    await startDriver(undefined, { tellsHealth });
    await claim(one);
    assert.deepEqual(healthOf(one), []);
    await prepared.prepare(one);
    assert.deepEqual(healthOf(one), told("Unknown"));
    const says = async (health: "HEALTHY" | "UNHEALTHY", more: object = {}) => {
      const before = changes;
      fake!.tell(health, more);
      await eventually(async () => changes > before, "the change");
    };
    await eventually(async () => fake!.isHeard, "who listens");
    await says("HEALTHY");
    assert.deepEqual(healthOf(one), told("Healthy"));
    await says("UNHEALTHY", { message: "too hot", health_check_timeout_seconds: 60 });
    assert.deepEqual(healthOf(one), told("Unhealthy", { message: "too hot" }));
    await clock.advance(59_000);
    assert.deepEqual(healthOf(one), told("Unhealthy", { message: "too hot" }));
    const before = changes;
    await clock.advance(2000);
    assert.deepEqual(healthOf(one), told("Unknown"));
    assert.ok(changes > before);
    await says("HEALTHY");
    fake!.stop();
    const isUnknown = async () => isDeepStrictEqual(healthOf(one), told("Unknown"));
    await eventually(isUnknown, "the driver is gone");
  });
}

test("of a driver that does not say how its devices are nothing is known", async () => {
  await startDriver();
  await claim(one);
  await prepared.prepare(one);
  assert.deepEqual(healthOf(one), told("Unknown"));
});
