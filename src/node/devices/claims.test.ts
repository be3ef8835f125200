import assert from "node:assert/strict";
import { mkdir, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { startCluster } from "../../../test/support/cluster.ts";
import type { Cluster } from "../../../test/support/cluster.ts";
import { resource } from "../../client/client.ts";
import { listenGrpc } from "../../lib/grpc-server.ts";
import type { GrpcListener } from "../../lib/grpc-server.ts";
import { silent } from "../../lib/log.ts";
import { Scope } from "../../lib/scope.ts";
import type { Pod } from "../pod.ts";
import { PreparedClaims } from "./claims.ts";
import { watchPlugins } from "./plugin-watcher.ts";
import { driver as driverApi, pluginWatcher } from "./protocols.ts";

const claims = { ...resource("resource.k8s.io/v1", "resourceclaims"), namespace: "default" };
const driver = "gpu.example.com";

let cluster: Cluster;
let directory: string;
let scope: Scope;
let prepared: PreparedClaims;
let driverSocket: GrpcListener | undefined;
let calls: string[];
let trouble: string;
let told: string[];

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "dra-"));
  cluster = startCluster();
  [calls, told, trouble] = [[], [], ""];
  await open();
});
afterEach(async () => {
  driverSocket?.close();
  driverSocket = undefined;
  await scope.close();
  await cluster.scope.close();
  await rm(directory, { recursive: true, force: true });
});

const registry = () => join(directory, "plugins_registry");
const statePath = () => join(directory, "claims.json");

async function open() {
  scope = new Scope();
  prepared = await PreparedClaims.open(cluster.client, statePath());
  scope.defer(() => prepared.close());
  const handlers = { DRAPlugin: prepared.handler };
  await watchPlugins({ directory: registry(), handlers, log: silent, scope });
}

/** One socket for both: the driver registers and prepares. */
async function startDriver(versions = ["v1.DRAPlugin"]) {
  const answer = (what: string, of: (uid: string) => object) => ({
    request: `Node${what}ResourcesRequest`,
    response: `Node${what}ResourcesResponse`,
    answer: ({ claims: asked }: any) => {
      for (const { name } of asked) calls.push(`${what} ${name}`);
      const answers = asked.map(({ uid }: any) => [uid, trouble ? { error: trouble } : of(uid)]);
      return { claims: Object.fromEntries(answers) };
    },
  });
  const device = {
    request_names: ["gpu"],
    pool_name: "a",
    device_name: "gpu-0",
    cdi_device_ids: ["example.com/gpu=0"],
  };
  await mkdir(registry(), { recursive: true });
  const registered = Promise.withResolvers<void>();
  driverSocket = await listenGrpc(join(registry(), "gpu.sock"), [
    {
      path: pluginWatcher.path,
      types: pluginWatcher.types,
      methods: {
        GetInfo: {
          request: "InfoRequest",
          response: "PluginInfo",
          answer: () => ({ type: "DRAPlugin", name: driver, supported_versions: versions }),
        },
        NotifyRegistrationStatus: {
          request: "RegistrationStatus",
          response: "RegistrationStatusResponse",
          answer: ({ plugin_registered: is, error }: any) => {
            told.push(is ? "registered" : error);
            registered.resolve();
            return {};
          },
        },
      },
    },
    {
      path: driverApi.path,
      types: driverApi.types,
      methods: {
        NodePrepareResources: answer("Prepare", () => ({ devices: [device] })),
        NodeUnprepareResources: answer("Unprepare", () => ({})),
      },
    },
  ]);
  await registered.promise;
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
  assert.deepEqual(calls, ["Prepare shared"]);
  await prepared.unprepare("uid-two");
  await prepared.unprepare("uid-two");
  assert.deepEqual(calls, ["Prepare shared", "Unprepare shared"]);
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
  trouble = "no power";
  await assert.rejects(prepared.prepare(one), /failed for ResourceClaim shared: no power/);
  trouble = "";
  assert.deepEqual(devicesOf(one), []);
  await prepared.unprepare("uid-one");
  assert.deepEqual(calls, ["Prepare shared", "Unprepare shared"]);
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
  assert.deepEqual(calls, ["Prepare shared", "Unprepare shared"]);
  assert.equal(await readFile(statePath(), "utf8"), "[]");
});

test("a driver of another version is told why it is not registered", async () => {
  await startDriver(["v1alpha2.Node"]);
  assert.match(told[0]!, /v1alpha2.Node is v1.DRAPlugin/);
});
