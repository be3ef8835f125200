import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startCluster } from "../../test/support/cluster.ts";
import type { Cluster } from "../../test/support/cluster.ts";
import { eventually } from "../../test/support/eventually.ts";
import { resource } from "../client/client.ts";
import type { Informer } from "../client/informer.ts";
import type { KubeObject } from "../kinds/object.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { vmLabels } from "../vms/node/labels.ts";
import { isContradicted, registerNode } from "./node-registration.ts";
import type { NodeSettings } from "./node-settings.ts";
import type { NodeRegistration } from "./node-registration.ts";

const nodes = resource("v1", "nodes");
const target = { ...nodes, name: "edge" };
const heartbeatMs = 10_000;
const calm = { memory: false, disk: false, pids: false };
const facts = { capacity: { cpu: "2" }, allocatable: { cpu: "2" }, nodeInfo: {} };

let clock: FakeClock;
let cluster: Cluster;
let informer: Informer;
let brought: Record<string, string>;
let registration: NodeRegistration;

const register = async (settings: NodeSettings = {}) => {
  registration = await registerNode({
    ...{ ...cluster, settings },
    nodeName: "edge",
    directory: "/none",
    addresses: ["192.0.2.1"],
    podCidrs: ["10.244.0.0/24"],
    facts: facts as any,
    devices: () => ({ capacity: brought, allocatable: brought }),
    pressure: async () => calm,
    shortcoming: () => "",
    shown: () => informer.get("edge"),
  });
};
beforeEach(async () => {
  clock = new FakeClock();
  cluster = startCluster({ clock });
  informer = cluster.informers.get({ resource: nodes });
  brought = {};
  await register();
  await informer.synced();
});
afterEach(() => cluster.scope.close());

const node = () => cluster.client.get(target);
const statusIn = (shown: KubeObject | undefined) =>
  shown?.status.conditions.find(({ type }: any) => type === "Ready").status;
const ready = async () => statusIn(await node());

test("a node that others called unknown while it was cut off says at its next heartbeat how it is", async () => {
  assert.equal(await ready(), "True");
  const { status } = await node();
  const conditions = status.conditions.map((one: any) => ({ ...one, status: "Unknown" }));
  const patch = { status: { conditions } };
  await cluster.client.patch({ ...target, subresource: "status" }, "merge", patch);
  await eventually(async () => statusIn(informer.get("edge")) === "Unknown", "the news of it");
  await clock.advance(heartbeatMs);
  await eventually(async () => (await ready()) === "True", "Ready again");
});

test("what a node offers no more leaves its status, also after a restart; what people added stays", async () => {
  const offered = async () => {
    const { capacity, allocatable } = (await node()).status;
    assert.deepEqual(capacity, allocatable);
    return capacity;
  };
  brought = { "akri.sh/lamp": "2", "akri.sh/cam": "1" };
  await registration.refresh();
  const dongles = { "example.com/dongle": "4" };
  const status = { capacity: dongles, allocatable: dongles };
  const byHand = { ...target, subresource: "status" };
  await cluster.client.patch(byHand, "merge", { status }, { fieldManager: "kubectl-patch" });
  brought = { "akri.sh/cam": "1" };
  await registration.refresh();
  assert.deepEqual(await offered(), { cpu: "2", "akri.sh/cam": "1", ...dongles });
  brought = {};
  await register();
  assert.deepEqual(await offered(), { cpu: "2", ...dongles });
});

test("a node that comes back without machines loses their labels, and no others", async () => {
  const labels = { "kubevirt.io/schedulable": "true", "cpu-model.node.kubevirt.io/EPYC": "true" };
  const others = { "example.com/rack": "4", "kubevirt.io/note": "mine" };
  await cluster.client.patch(target, "merge", { metadata: { labels: { ...labels, ...others } } });
  await register();
  assert.equal((await node()).metadata.labels!["kubevirt.io/schedulable"], "true");
  await register({ retiredLabels: vmLabels });
  const { labels: left } = (await node()).metadata;
  for (const key of Object.keys(labels)) assert.ok(!(key in left!), key);
  assert.partialDeepStrictEqual(left, { ...others, "kubernetes.io/hostname": "edge" });
});

test("a node that nothing happens to writes its status once an hour", async () => {
  await clock.advance(heartbeatMs);
  const version = async () => (await node()).metadata.resourceVersion;
  const first = await version();
  for (let i = 0; i < 350; i++) await clock.advance(heartbeatMs);
  assert.equal(await version(), first);
  for (let i = 0; i < 10; i++) await clock.advance(heartbeatMs);
  assert.notEqual(await version(), first);
});

test("a condition that the API does not show, or shows as it was said, is no contradiction", () => {
  const said = [{ type: "Ready", status: "True", reason: "", message: "" }] as const;
  const shown = (status: string, type = "Ready"): any => ({
    status: { conditions: [{ type, status }] },
  });
  assert.equal(isContradicted([...said], undefined), false);
  assert.equal(isContradicted([...said], shown("True")), false);
  assert.equal(isContradicted([...said], shown("Unknown", "Other")), false);
  assert.equal(isContradicted([...said], shown("Unknown")), true);
});
