// Replicated volumes against a whole API server; stand-ins are the nodes, and QEMU's link from one to the other.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { setTimeout } from "node:timers/promises";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { ensureDefinitions } from "../../client/definitions.ts";
import { Informers } from "../../client/informers.ts";
import { startControllers } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { systemClock } from "../../lib/clock.ts";
import { silent } from "../../lib/log.ts";
import { systemRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { StatusError } from "../../lib/status-error.ts";
import { startServer } from "../../main/test-server.ts";
import type { TestServer } from "../../main/test-server.ts";
import { install } from "../installation.ts";
import { claimFacts } from "../instance/claim-facts.ts";
import { launcherPod } from "../instance/launcher-pod.ts";
import { vmDefinitions } from "../kinds/definitions.ts";
import { claims, pods } from "../kinds/resources.ts";
import { replicatedVolumesOf } from "./record.ts";
import { replicatedClaimController } from "./replicated-claim.ts";
import { replicatedVolumeController } from "./replicated-volume.ts";

const namespace = "default";
const nodes = resource("v1", "nodes");
const volumes = resource("v1", "persistentvolumes");
const scope = new Scope();
let server: TestServer;
let client: Client;

/** What lies behind the nodes. */
const asked: string[] = [];
const lostNodes = new Set<string>();
interface View {
  isReleased: boolean;
  /** By the nodes of the other copies; default: none. */
  links: Record<string, string>;
  isSwitching?: true;
}
const machine: View = { isReleased: false, links: {} };
/** Of pods by their uid, where a guest moves; else `machine` is the one that runs. */
const views = new Map<string, View>();
const viewOf = ({ podUid }: { podUid: string }) => views.get(podUid) ?? machine;
let hasArrived = false;
let diskBytes = 2 ** 20;

const answers: Record<string, (question: any) => unknown> = {
  serve: ({ bytes }) => ({ port: 1, name: `of ${bytes}`, key: "00", before: [] }),
  close: () => undefined,
  remove: () => undefined,
  viewCopies: (question) => ({ ...viewOf(question), bytes: diskBytes }),
  resizeVolume: ({ args }) => void (diskBytes = args[1]),
  hasArrived: () => hasArrived,
  attachCopy: ({ args: [, { node, sync }], ...question }) => {
    viewOf(question as any).links[node] = sync === "none" ? "alike" : "syncing";
    return { bytes: 65_536, isPart: true };
  },
  detachCopies: ({ args: [, nodes], ...question }) => {
    for (const node of nodes) delete viewOf(question as any).links[node];
  },
  release: (question) => void (viewOf(question).isReleased = true),
};

async function connect(node: string): Promise<any> {
  if (lostNodes.has(node)) throw new StatusError("ServiceUnavailable", "no such node now");
  return {
    async ask(_part: string, question: any) {
      const isQuestion = ["viewCopies", "hasArrived"].includes(question.method);
      if (!isQuestion) asked.push(`${question.method} ${node}`);
      return answers[question.method]!(question);
    },
  };
}

async function until<T>(look: () => Promise<T>): Promise<T> {
  for (let tries = 0; tries < 6000; tries++) {
    const found = await look().then(
      (value) => ({ value }),
      () => undefined,
    );
    if (found) return found.value;
    await setTimeout(20);
  }
  return look();
}

const makeNode = async (name: string) => {
  const labels = { "kubevirt.io/schedulable": "true", "kubernetes.io/hostname": name };
  await client.create(nodes, {
    apiVersion: "v1",
    kind: "Node",
    metadata: { name, labels },
    spec: {},
  });
  const status = { conditions: [{ type: "Ready", status: "True" }] };
  await client.patch({ ...nodes, name, subresource: "status" }, "merge", { status });
};

before(async () => {
  server = await startServer({ listen: false, controllers: true });
  client = server.client();
  const world = { clock: systemClock, random: systemRandom, log: silent, scope };
  await ensureDefinitions(client, systemClock, vmDefinitions);
  await install(client, systemClock);
  for (const name of ["a", "b"]) await makeNode(name);
  const informers = new Informers({ client, ...world });
  const own = [replicatedClaimController(connect), replicatedVolumeController(connect)];
  await startControllers(own, { client, informers, ...world, discover: async () => [] });
  await until(() =>
    client.get({ ...resource("v1", "serviceaccounts"), namespace, name: "default" }),
  );
});
after(async () => {
  await scope.close();
  await server.close();
});

const claim = () => client.get({ ...claims, namespace, name: "data" });
const volumeName = async () => (await claim()).spec.volumeName as string;
const record = async () =>
  (await client.get({ ...replicatedVolumesOf, name: await volumeName() })).status;
const pod = (name: string) => client.get({ ...pods, namespace, name });
const isGated = async (name: string) => ((await pod(name)).spec.schedulingGates ?? []).length > 0;

async function run(name: string, node: string, podIP = "192.0.2.1") {
  const at = { ...pods, namespace, name };
  const target = { kind: "Node", name: node };
  const binding = { apiVersion: "v1", kind: "Binding", metadata: { name }, target };
  await client.create({ ...at, subresource: "binding" }, binding).catch(() => {});
  const state = { running: {} };
  const one = { name: "compute", image: "x", imageID: "", ready: true, restartCount: 0, state };
  await client.patch({ ...at, subresource: "status" }, "merge", {
    status: { phase: "Running", podIP, containerStatuses: [one] },
  });
}

async function end(name: string, phase: string) {
  const at = { ...pods, namespace, name };
  await client.patch({ ...at, subresource: "status" }, "merge", { status: { phase } });
}

/** A machine's pod, as the controller of instances makes it. */
async function launch(name: string, migration?: { uid: string; avoidNode: string }) {
  const found = await claim();
  const vmi = {
    ...{ apiVersion: "kubevirt.io/v1", kind: "VirtualMachineInstance" },
    metadata: { namespace, name, uid: name, resourceVersion: "1", creationTimestamp: "" },
    spec: {
      domain: { devices: {}, memory: { guest: "64Mi" } },
      volumes: [{ name: "root", persistentVolumeClaim: { claimName: "data" } }],
    },
  } as KubeObject;
  const facts = claimFacts(() => found);
  const { metadata, ...draft } = launcherPod(vmi, { ...facts, ...(migration && { migration }) });
  const { generateName: _, ownerReferences: __, ...rest } = metadata!;
  await client.create({ ...pods, namespace }, { ...draft, metadata: { ...rest, name } } as any);
}

const hostnames = async (name: string): Promise<string[]> => {
  const { affinity } = (await pod(name)).spec;
  const required = affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution;
  return required.nodeSelectorTerms[0].matchExpressions.at(-1).values;
};
const isCurrent = (wanted: string, identical: boolean) =>
  until(async () => {
    const { current, identical: is } = await record();
    assert.deepEqual([current, is], [wanted, identical]);
  });

test("a claim gets a volume with a copy on two nodes, each in a pod of its own", async () => {
  await client.create({ ...claims, namespace }, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data" },
    spec: {
      storageClassName: "kerb-replicated",
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: "1Mi" } },
    },
  } as any);
  await until(async () => assert.equal((await claim()).status.phase, "Bound"));
  const { spec } = await client.get({ ...volumes, name: await volumeName() });
  const [term] = spec.nodeAffinity.required.nodeSelectorTerms;
  assert.deepEqual(term.matchExpressions[0].values, ["a", "b"]);
  const labelSelector = `vms.kerb.dev/replica-of=${await volumeName()}`;
  const replicas = await until(async () => {
    const { items } = await client.list({ ...pods, namespace }, { labelSelector });
    assert.equal(items.length, 2);
    return items;
  });
  for (const [i, node] of ["a", "b"].entries()) {
    const name = replicas.find(({ metadata }) => metadata.name.endsWith(`-${node}`))!.metadata.name;
    await run(name, node, `192.0.2.${i + 1}`);
  }
});

test("a machine waits for its turn, writes to its own copy, and to the other once that has all", async () => {
  await launch("one");
  assert.equal(await isGated("one"), true);
  await until(async () => assert.equal(await isGated("one"), false));
  assert.deepEqual(await hostnames("one"), ["a", "b"]);
  assert.deepEqual(asked.splice(0).sort(), ["close a", "close b"]);
  await run("one", "a");
  await isCurrent("a", false);
  await until(async () => assert.ok(machine.isReleased && machine.links["b"] === "syncing"));
  assert.deepEqual(asked.splice(0), ["release a", "serve b", "attachCopy a"]);
  machine.links["b"] = "alike";
  await isCurrent("a,b", false);
});

test("a second machine is held, and let in after a clean end, to write to both at once", async () => {
  await launch("two");
  await until(async () => {
    const { items } = await client.list({ ...resource("v1", "events"), namespace });
    assert.ok(items.some((one: any) => one.message === "one uses it"));
  });
  assert.equal(await isGated("two"), true);
  await end("one", "Succeeded");
  Object.assign(machine, { isReleased: false, links: {} });
  await until(async () => assert.equal(await isGated("two"), false));
  assert.equal((await record()).identical, true);
  asked.splice(0);
  await run("two", "b");
  await until(async () => assert.ok(machine.isReleased));
  assert.deepEqual(asked.splice(0), ["serve a", "attachCopy b", "release b"]);
  await isCurrent("a,b", false);
});

test("a copy that does not answer is stale before it is let go", async () => {
  machine.links["a"] = "silent";
  await isCurrent("b", false);
  await until(async () => assert.ok(asked.includes("attachCopy b")));
  assert.deepEqual(asked.splice(0).slice(0, 2), ["detachCopies b", "serve a"]);
  machine.links["a"] = "alike";
  await isCurrent("a,b", false);
});

test("a disk grows with its claim while its machine writes to it alone", async () => {
  const spec = { resources: { requests: { storage: "2Mi" } } };
  await client.patch({ ...claims, namespace, name: "data" }, "merge", { spec });
  await until(async () => assert.equal((await claim()).status.capacity.storage, "2Mi"));
  await until(async () => assert.ok(asked.includes("attachCopy b")));
  const steps = ["detachCopies b", "resizeVolume b", "serve a", "attachCopy b"];
  assert.deepEqual(asked.splice(0), steps);
  const { spec: grown } = await client.get({ ...volumes, name: await volumeName() });
  assert.equal(grown.capacity.storage, "2Mi");
  machine.links["a"] = "alike";
  await isCurrent("a,b", false);
});

test("a guest that moves is let in at the other copy, and goes on once both are its own", async () => {
  const before = (await pod("two")).metadata.uid;
  await launch("moved", { uid: "m", avoidNode: "b" });
  await until(async () => assert.equal(await isGated("moved"), false));
  assert.deepEqual(await hostnames("moved"), ["a"]);
  await run("moved", "a");
  const { uid } = (await pod("moved")).metadata;
  asked.splice(0);
  views.set(before, { isReleased: true, links: {}, isSwitching: true });
  views.set(uid, { isReleased: false, links: {} });
  hasArrived = true;
  await until(async () => assert.equal(views.get(uid)!.isReleased, true));
  assert.deepEqual(asked.splice(0), ["close a", "serve b", "attachCopy a", "release a"]);
  const { writer, current } = await record();
  assert.deepEqual(writer, { pod: "moved", uid, nodes: ["a"], released: true });
  assert.equal(current, "a,b");
  await end("two", "Succeeded");
});

test("a copy that is lost after the move is attached again, too", async () => {
  const { uid } = (await pod("moved")).metadata;
  views.get(uid)!.links["b"] = "silent";
  await isCurrent("a", false);
  await until(async () => assert.ok(asked.includes("attachCopy a")));
  assert.deepEqual(asked.splice(0), ["detachCopies a", "serve b", "attachCopy a"]);
  views.get(uid)!.links["b"] = "alike";
  await isCurrent("a,b", false);
});

test("when the writer's node is lost, the next one writes where a current copy is within reach", async () => {
  views.clear();
  lostNodes.add("a");
  for (const name of ["two", "moved"]) {
    await client.delete({ ...pods, namespace, name }, { gracePeriodSeconds: 0 });
  }
  Object.assign(machine, { isReleased: false, links: {} });
  await launch("three");
  await until(async () => assert.equal(await isGated("three"), false));
  assert.deepEqual(await hostnames("three"), ["b"]);
  await run("three", "b");
  await isCurrent("b", false);
  await until(async () => assert.ok(machine.isReleased));
});

test("a claim that goes takes its copies along", async () => {
  lostNodes.clear();
  await end("three", "Failed");
  await client.delete({ ...pods, namespace, name: "three" }, { gracePeriodSeconds: 0 });
  const name = await volumeName();
  asked.splice(0);
  await client.delete({ ...claims, namespace, name: "data" });
  await until(async () => {
    const { items } = await client.list({ ...pods, namespace });
    for (const { metadata } of items.filter((one) => one.metadata.deletionTimestamp)) {
      const at = { ...pods, namespace, name: metadata.name };
      await client.delete(at, { gracePeriodSeconds: 0 });
    }
    await assert.rejects(client.get({ ...replicatedVolumesOf, name }), /not found/);
  });
  assert.deepEqual(asked.filter((one) => one.startsWith("remove")).sort(), [
    "remove a",
    "remove b",
  ]);
});
