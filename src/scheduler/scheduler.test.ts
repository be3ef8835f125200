import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startCluster, type Cluster } from "../../test/support/cluster.ts";
import type { KubeObject } from "../kinds/object.ts";
import { inputs } from "./cache.ts";
import { node, pod, type NodeFixture, type PodFixture } from "./fixtures.ts";
import { loadDeviceSelector } from "../server/cel/device-selector.ts";
import { startScheduler } from "./scheduler.ts";

let cluster: Cluster;
let events: string[];

beforeEach(async () => {
  events = [];
  cluster = startCluster();
  const { client, clock, random, log, scope, informer } = cluster;
  await startScheduler({
    client,
    clock,
    random,
    log,
    scope,
    informers: informer,
    loadSelector: loadDeviceSelector,
    event: ({ metadata }, _type, reason, message) =>
      events.push(`${metadata.name} ${reason}: ${message}`),
  });
});
afterEach(() => cluster.scope.close());

const pods = { ...inputs.pods, namespace: "default" };

async function addNode(name: string, of: NodeFixture = {}) {
  const { status, ...rest } = node(name, of);
  const { uid: _, resourceVersion: __, ...metadata } = rest.metadata;
  await cluster.client.create(inputs.nodes, { ...rest, metadata });
  const target = { ...inputs.nodes, name, subresource: "status" };
  await cluster.client.patch(target, "merge", { status });
}

function addPod(name: string, of: PodFixture = {}) {
  const { metadata, spec } = pod(name, of);
  return cluster.client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: metadata.labels! },
    spec: { ...spec, containers: [{ image: "app", ...spec.containers[0] }] },
  });
}

const untilPod = (name: string, holds: (pod: KubeObject) => boolean) =>
  cluster.until(inputs.pods, (all) => all.find((p) => p.metadata.name === name && holds(p)));
const scheduled = ({ status }: KubeObject) =>
  status.conditions?.find((condition: any) => condition.type === "PodScheduled");

test("a pod is bound to a node, and an event says so", async () => {
  await addNode("a");
  await addPod("web");
  const bound = await untilPod("web", ({ spec }) => spec.nodeName);
  assert.equal(bound.spec.nodeName, "a");
  await untilPod("web", (p) => scheduled(p)?.status === "True");
  assert.deepEqual(events, ["web Scheduled: Successfully assigned default/web to a"]);
});

test("a pod that does not fit says why, and is bound when a node comes that it fits", async () => {
  await addNode("small", { allocatable: { cpu: "1" } });
  await addPod("big", { requests: { cpu: "2" } });
  const waiting = await untilPod("big", (p) => scheduled(p)?.status === "False");
  assert.equal(scheduled(waiting).reason, "Unschedulable");
  assert.match(scheduled(waiting).message, /^0\/1 nodes are available: 1 Insufficient cpu\. /);
  assert.match(events[0]!, /^big FailedScheduling: 0\/1 nodes/);
  await addNode("large");
  const bound = await untilPod("big", ({ spec }) => spec.nodeName);
  assert.equal(bound.spec.nodeName, "large");
});

test("a more important pod makes a lesser one go and takes its place", async () => {
  await addNode("a");
  await addPod("low", { requests: { cpu: "3" } });
  await untilPod("low", ({ spec }) => spec.nodeName);
  await addPod("high", { requests: { cpu: "3" }, spec: { priority: 100 } });
  const promised = await untilPod("high", ({ status }) => status.nominatedNodeName);
  assert.equal(promised.status.nominatedNodeName, "a");
  const going = await untilPod("low", ({ metadata }) => metadata.deletionTimestamp !== undefined);
  const disrupted = going.status.conditions.find((c: any) => c.type === "DisruptionTarget");
  assert.equal(disrupted.reason, "PreemptionByScheduler");
  await cluster.client.delete({ ...pods, name: "low" }, { gracePeriodSeconds: 0 });
  const bound = await untilPod("high", ({ spec }) => spec.nodeName);
  assert.equal(bound.spec.nodeName, "a");
});

test("gated pods wait, and other schedulers' pods are left alone", async () => {
  await addNode("a");
  await addPod("gated", { spec: { schedulingGates: [{ name: "example.com/quota" }] } });
  await addPod("foreign", { spec: { schedulerName: "other" } });
  await addPod("mine");
  await untilPod("mine", ({ spec }) => spec.nodeName);
  const gated = await untilPod("gated", (p) => scheduled(p) !== undefined);
  assert.equal(scheduled(gated).reason, "SchedulingGated");
  assert.equal(gated.spec.nodeName, undefined);
  const foreign = await cluster.client.get({ ...pods, name: "foreign" });
  assert.equal(foreign.spec.nodeName, undefined);
  await cluster.client.patch({ ...pods, name: "gated" }, "merge", {
    spec: { schedulingGates: null },
  });
  await untilPod("gated", ({ spec }) => spec.nodeName === "a");
});
