import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startCluster, type Cluster } from "../../test/support/cluster.ts";
import { resource } from "../client/client.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { node, pod } from "../scheduler/fixtures.ts";
import { nodeLifecycle } from "./node-lifecycle.ts";
import { podGarbageCollector } from "./pod-garbage-collector.ts";
import { startControllers } from "./runtime.ts";

const nodes = resource("v1", "nodes");
const pods = { ...resource("v1", "pods"), namespace: "default" };
const leases = {
  ...resource("coordination.k8s.io/v1", "leases"),
  namespace: "kube-node-lease",
};

let clock: FakeClock;
let cluster: Cluster;

beforeEach(async () => {
  clock = new FakeClock();
  cluster = startCluster({ clock });
  const discover = () => Promise.resolve([]);
  await startControllers([nodeLifecycle(), podGarbageCollector], { ...cluster, discover });
});
afterEach(() => cluster.scope.close());

async function addNode(name: string) {
  const { client } = cluster;
  const { spec } = node(name);
  await client.create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name }, spec });
  const status = { conditions: [{ type: "Ready", status: "True" }] };
  await client.patch({ ...nodes, name, subresource: "status" }, "merge", { status });
  await client.create(leases, {
    apiVersion: "coordination.k8s.io/v1",
    kind: "Lease",
    metadata: { name },
    spec: { holderIdentity: name },
  });
}

async function addPod(name: string, nodeName: string, spec: object = {}) {
  const { client } = cluster;
  const made = pod(name, { spec: { ...spec, nodeName } });
  await client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: made.spec,
  });
  const status = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
  await client.patch({ ...pods, name, subresource: "status" }, "merge", { status });
}

/** A lease whose time is nonsense, as a machine with a dead clock battery writes it. */
const renew = (name: string, count: number) =>
  cluster.client.patch({ ...leases, name }, "merge", {
    spec: { renewTime: `1970-01-01T00:00:${String(count % 60).padStart(2, "0")}.000000Z` },
  });

/** Lets time pass while the nodes in `alive` renew their leases. */
async function pass(seconds: number, ...alive: string[]) {
  for (let passed = 0; passed < seconds; passed += 10) {
    for (const name of alive) await renew(name, passed / 10);
    await clock.advance(10_000);
  }
}

const nodeNow = (name: string) => cluster.client.get({ ...nodes, name });
const readyOf = async (name: string) =>
  (await nodeNow(name)).status.conditions.find((c: any) => c.type === "Ready").status;
const taintsOf = async (name: string) =>
  ((await nodeNow(name)).spec.taints ?? []).map((t: any) => `${t.key.split("/")[1]}:${t.effect}`);
const exists = async (name: string) =>
  (await cluster.client.list(pods)).items.some(
    ({ metadata }) => metadata.name === name && !metadata.deletionTimestamp,
  );

test("a node that falls silent is Unknown, and its pods leave when they tolerate no more", async () => {
  await addNode("well");
  await addNode("ill");
  const seconds = {
    key: "node.kubernetes.io/unreachable",
    operator: "Exists",
    effect: "NoExecute",
  };
  await addPod("patient", "ill", { tolerations: [{ ...seconds, tolerationSeconds: 300 }] });
  await addPod("daemon", "ill", { tolerations: [{ operator: "Exists" }] });
  await pass(30, "well", "ill");
  assert.equal(await readyOf("ill"), "True");
  await pass(60, "well");
  assert.equal(await readyOf("well"), "True");
  assert.equal(await readyOf("ill"), "Unknown");
  assert.deepEqual(await taintsOf("ill"), ["unreachable:NoSchedule", "unreachable:NoExecute"]);
  const { status } = await cluster.client.get({ ...pods, name: "daemon" });
  assert.equal(status.conditions.find((c: any) => c.type === "Ready").status, "False");
  assert.ok(await exists("patient"));
  await pass(320, "well");
  assert.ok(!(await exists("patient")), "it tolerated 300 seconds");
  assert.ok(await exists("daemon"));
});

test("pods of a node that is cut off stay for its autonomy time, and leave after it", async () => {
  await addNode("well");
  for (const name of ["hour", "ever", "none"]) {
    await addNode(name);
    await addPod(`on-${name}`, name);
  }
  const say = (name: string, annotations: object) =>
    cluster.client.patch({ ...nodes, name }, "merge", { metadata: { annotations } });
  await say("hour", { "kerb.dev/autonomy-duration": "1h" });
  await say("ever", { "kerb.dev/autonomy-duration": "forever" });
  for (const name of ["more", "most", "last"]) await addNode(name);
  await pass(300, "well", "more", "most", "last");
  assert.deepEqual(await taintsOf("hour"), ["unreachable:NoSchedule"]);
  assert.ok(!(await exists("on-none")), "a node that says nothing is upstream's");
  assert.ok((await exists("on-hour")) && (await exists("on-ever")));
  await pass(3600, "well", "more", "most", "last");
  assert.ok(!(await exists("on-hour")));
  assert.ok(await exists("on-ever"));
});

test("when the only node falls silent nobody is evicted, whatever the wall clock says", async () => {
  await addNode("only");
  await addPod("web", "only");
  await pass(20, "only");
  clock.jumpTo(Date.UTC(2040, 0, 1));
  await pass(30, "only");
  assert.equal(await readyOf("only"), "True");
  await pass(600);
  assert.equal(await readyOf("only"), "Unknown");
  assert.deepEqual(await taintsOf("only"), ["unreachable:NoSchedule"]);
  assert.ok(await exists("web"));
});

test("pods of a node that no longer exists are collected, after a while", async () => {
  await addNode("stays");
  await addNode("goes");
  await addPod("kept", "stays");
  await addPod("orphan", "goes");
  await cluster.client.delete({ ...nodes, name: "goes" });
  await pass(20, "stays");
  assert.ok(await exists("orphan"));
  await pass(60, "stays");
  assert.ok(!(await exists("orphan")));
  assert.ok(await exists("kept"));
});
