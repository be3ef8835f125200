import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { localClient } from "../../client/local.ts";
import { resource, type Client } from "../../client/client.ts";
import { Kinds } from "../../kinds/kinds.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { seededRandom } from "../../lib/random.ts";
import { isStatus, type StatusReason } from "../../lib/status-error.ts";
import { memoryStore } from "../../store/memory.ts";
import { createServer, type ApiServer } from "../server.ts";
import { testKind } from "../test-kinds.ts";

const gadgets = { ...resource("example.com/v1", "gadgets"), namespace: "default" };
const pods = { ...resource("v1", "pods"), namespace: "default" };
const services = { ...resource("v1", "services"), namespace: "default" };
const admin = { name: "admin", groups: ["system:masters"] };

let clock: FakeClock;
let server: ApiServer;
let client: Client;

beforeEach(() => {
  clock = new FakeClock();
  const kinds = new Kinds();
  kinds.add(testKind("example.com", "v1", "Gadget", { subresources: ["status", "scale"] }));
  kinds.add(
    testKind("", "v1", "Pod", {
      subresources: ["status", "binding", "eviction"],
      selectableFields: ["spec.nodeName"],
    }),
  );
  kinds.add(testKind("", "v1", "Service", { subresources: ["status"] }));
  server = createServer({
    store: memoryStore(),
    kinds,
    clock,
    random: seededRandom(1),
    log: silent,
    serviceCidrs: ["10.96.0.0/24"],
  });
  client = localClient(server, admin, "test");
});

const gadget = (name: string, fields: object = {}, metadata: object = {}) => ({
  apiVersion: "example.com/v1",
  kind: "Gadget",
  metadata: { name, ...metadata },
  ...fields,
});

const make = (name: string, fields?: object, metadata?: object) =>
  client.create(gadgets, gadget(name, fields, metadata));

const fails = (work: Promise<unknown>, reason: StatusReason, text: RegExp | string = "") =>
  assert.rejects(work, (error) => {
    assert.ok(isStatus(error, reason), String(error));
    if (text) assert.match(error.message, new RegExp(text));
    return true;
  });

test("create fills in what identifies an object and drops its status", async () => {
  const made = await make("a", { spec: { x: 1 }, status: { y: 2 } });
  assert.equal(made.metadata.namespace, "default");
  assert.equal(made.metadata.generation, 1);
  assert.equal(made.metadata.creationTimestamp, "2026-01-01T00:00:00Z");
  assert.ok(made.metadata.uid && made.metadata.resourceVersion);
  assert.equal(made.status, undefined);
  assert.deepEqual(await client.get({ ...gadgets, name: "a" }), made);
});

test("create refuses what exists, what has no name, and what belongs elsewhere", async () => {
  await make("a");
  await fails(make("a"), "AlreadyExists", 'gadgets.example.com "a" already exists');
  await fails(make(""), "Invalid", "name or generateName is required");
  await fails(make("b", {}, { namespace: "other" }), "BadRequest", "does not match the namespace");
  await fails(make("b", {}, { resourceVersion: "7" }), "BadRequest", "should not be set");
});

test("a generated name keeps its base", async () => {
  const made = await make("", {}, { name: undefined, generateName: "web-" });
  assert.match(made.metadata.name, /^web-[a-z0-9]{5}$/);
});

test("an update with a stale resourceVersion conflicts", async () => {
  const first = await make("a", { spec: { x: 1 } });
  await client.update({ ...gadgets, name: "a" }, { ...first, spec: { x: 2 } });
  await fails(
    client.update({ ...gadgets, name: "a" }, { ...first, spec: { x: 3 } }),
    "Conflict",
    "the object has been modified; please apply your changes to the latest version and try again",
  );
});

test("generation counts changes of the spec only", async () => {
  const target = { ...gadgets, name: "a" };
  const first = await make("a", { spec: { x: 1 } });
  const labelled = await client.update(target, {
    ...first,
    metadata: { ...first.metadata, labels: { a: "b" } },
  });
  assert.equal(labelled.metadata.generation, 1);
  const changed = await client.update(target, { ...labelled, spec: { x: 2 } });
  assert.equal(changed.metadata.generation, 2);
});

test("an update that changes nothing writes nothing", async () => {
  const first = await make("a", { spec: { x: 1 } });
  const same = await client.update({ ...gadgets, name: "a" }, first);
  assert.equal(same.metadata.resourceVersion, first.metadata.resourceVersion);
});

test("status and the rest of the object do not overwrite each other", async () => {
  const first = await make("a", { spec: { x: 1 } });
  const target = { ...gadgets, name: "a" };
  const both = { ...first, spec: { x: 2 }, status: { y: 1 } };
  const status = await client.update({ ...target, subresource: "status" }, both);
  assert.deepEqual([status.spec, status.status], [{ x: 1 }, { y: 1 }]);
  const spec = await client.update(target, { ...status, spec: { x: 3 }, status: { y: 9 } });
  assert.deepEqual([spec.spec, spec.status], [{ x: 3 }, { y: 1 }]);
});

test("the scale subresource reads and writes replicas", async () => {
  await make("a", { spec: { replicas: 1, selector: { matchLabels: { app: "a" } } } });
  const target = { ...gadgets, name: "a", subresource: "scale" };
  const scale = await client.get(target);
  assert.deepEqual(
    [scale.spec, scale.status],
    [{ replicas: 1 }, { replicas: 0, selector: "app=a" }],
  );
  await client.update(target, { ...scale, spec: { replicas: 4 } });
  const object = await client.get({ ...gadgets, name: "a" });
  assert.equal(object.spec.replicas, 4);
  assert.equal(object.metadata.generation, 2);
  const { metadata } = scale;
  const another = { ...scale, metadata: { ...metadata, uid: "x", resourceVersion: "" } };
  await fails(client.update(target, another), "Conflict", "UID in precondition: x");
  const misnamed = { ...scale, metadata: { ...metadata, name: "b" } };
  await fails(client.update(target, misnamed), "BadRequest", "does not match the name on the URL");
});

test("taking the last finalizer from a deleted object removes it", async () => {
  const target = { ...gadgets, name: "a" };
  await make("a", {}, { finalizers: ["example.com/hold"] });
  const marked = await client.delete(target);
  assert.ok(marked.metadata.deletionTimestamp);
  const held = await client.get(target);
  await fails(
    client.update(target, { ...held, metadata: { ...held.metadata, finalizers: ["b/c"] } }),
    "Invalid",
    "no new finalizers can be added",
  );
  const { finalizers: _, ...metadata } = held.metadata;
  await client.update(target, { ...held, metadata });
  await fails(client.get(target), "NotFound", 'gadgets.example.com "a" not found');
});

test("a delete with another uid or resourceVersion conflicts", async () => {
  await make("a");
  const target = { ...gadgets, name: "a" };
  await fails(
    client.delete(target, { preconditions: { uid: "x" } }),
    "Conflict",
    "UID in precondition: x",
  );
  await fails(client.delete(target, { preconditions: { resourceVersion: "1000" } }), "Conflict");
  await client.delete(target);
  await fails(client.get(target), "NotFound");
});

test("a dry run answers and stores nothing", async () => {
  await client.create(gadgets, gadget("a"), { dryRun: true });
  await fails(client.get({ ...gadgets, name: "a" }), "NotFound");
  const made = await make("b", { spec: { x: 1 } });
  const target = { ...gadgets, name: "b" };
  const dry = await client.update(target, { ...made, spec: { x: 2 } }, { dryRun: true });
  assert.deepEqual(dry.spec, { x: 2 });
  await client.delete(target, { dryRun: true });
  assert.deepEqual((await client.get(target)).spec, { x: 1 });
});

test("pages of a list are consistent and say what remains", async () => {
  for (const name of ["a", "b", "c", "d", "e"]) await make(name);
  const first = await client.list(gadgets, { limit: 2 });
  assert.equal(first.metadata.remainingItemCount, 3);
  await client.delete({ ...gadgets, name: "c" });
  const rest = await client.list(gadgets, { continue: first.metadata.continue! });
  assert.equal(rest.metadata.resourceVersion, first.metadata.resourceVersion);
  assert.deepEqual(
    [...first.items, ...rest.items].map((item) => item.metadata.name),
    ["a", "b", "c", "d", "e"],
  );
});

test("a continue token from before a compaction expires", async () => {
  for (const name of ["a", "b", "c"]) await make(name);
  const { metadata } = await client.list(gadgets, { limit: 1 });
  await make("d");
  await server.store.compact(server.store.revision());
  await fails(
    client.list(gadgets, { continue: metadata.continue! }),
    "Expired",
    "too old to display",
  );
});

test("a watch of one name tells of that object alone, though others begin like it", async () => {
  await make("one");
  await make("one-more");
  const options = { fieldSelector: "metadata.name=one", sendInitialEvents: true };
  const told: string[] = [];
  for await (const { type, object } of client.watch(gadgets, {
    ...options,
    allowWatchBookmarks: true,
  })) {
    told.push(`${type} ${object.metadata.name ?? ""}`);
    if (type === "BOOKMARK") {
      await client.delete({ ...gadgets, name: "one-more" });
      await client.delete({ ...gadgets, name: "one" });
    }
    if (type === "DELETED") break;
  }
  assert.deepEqual(
    told.filter((one) => !one.startsWith("BOOKMARK")),
    ["ADDED one", "DELETED one"],
  );
});

test("labels and fields select", async () => {
  await make("a", {}, { labels: { app: "x" } });
  await make("b", {}, { labels: { app: "y" } });
  const names = async (options: object) =>
    (await client.list(gadgets, options)).items.map((item) => item.metadata.name);
  assert.deepEqual(await names({ labelSelector: "app=x" }), ["a"]);
  assert.deepEqual(await names({ labelSelector: "app in (x,y)", limit: 5 }), ["a", "b"]);
  assert.deepEqual(await names({ fieldSelector: "metadata.name=b" }), ["b"]);
  assert.deepEqual(await names({ fieldSelector: "metadata.name!=b" }), ["a"]);
  await fails(
    client.list(gadgets, { fieldSelector: "spec.x=1" }),
    "BadRequest",
    "not supported: spec.x",
  );
  await fails(client.list(gadgets, { labelSelector: "a in (" }), "BadRequest");
});

test("a revision that is yet to come times out", async () => {
  await fails(
    client.list(gadgets, { resourceVersion: "1000000" }),
    "Timeout",
    "Too large resource version",
  );
});

test("deletecollection deletes what is selected", async () => {
  for (const name of ["a", "b", "c"])
    await make(name, {}, { labels: { keep: String(name === "b") } });
  await client.deleteCollection(gadgets, { labelSelector: "keep=false" });
  const left = await client.list(gadgets);
  assert.deepEqual(
    left.items.map((item) => item.metadata.name),
    ["b"],
  );
});

test("a watch tells changes after a list, and selections add and remove", async () => {
  await make("a", {}, { labels: { on: "yes" } });
  const { metadata } = await client.list(gadgets);
  const stop = new AbortController();
  const events = client.watch(gadgets, {
    resourceVersion: metadata.resourceVersion,
    labelSelector: "on=yes",
    signal: stop.signal,
  });
  const target = { ...gadgets, name: "a" };
  const relabel = async (on: string) => {
    const now = await client.get(target);
    await client.update(target, { ...now, metadata: { ...now.metadata, labels: { on } } });
  };
  await relabel("no");
  await relabel("yes");
  await make("other", {}, { labels: { on: "no" } });
  await client.delete(target);
  const seen: string[] = [];
  for await (const { type, object } of events) {
    seen.push(`${type} ${object.metadata.name}`);
    if (seen.length === 3) stop.abort();
  }
  assert.deepEqual(seen, ["DELETED a", "ADDED a", "DELETED a"]);
});

test("a streaming list ends its initial events with a bookmark", async () => {
  await make("a");
  await make("b");
  const stop = new AbortController();
  const seen: string[] = [];
  for await (const { type, object } of client.watch(gadgets, {
    sendInitialEvents: true,
    allowWatchBookmarks: true,
    signal: stop.signal,
  })) {
    seen.push(
      `${type} ${object.metadata.name ?? object.metadata.annotations["k8s.io/initial-events-end"]}`,
    );
    if (type === "BOOKMARK") stop.abort();
  }
  assert.deepEqual(seen, ["ADDED a", "ADDED b", "BOOKMARK true"]);
});

test("a watch from before a compaction is told to list again", async () => {
  await make("a");
  const { metadata } = await client.list(gadgets);
  await make("b");
  await make("c");
  await server.store.compact(server.store.revision());
  for await (const event of client.watch(gadgets, { resourceVersion: metadata.resourceVersion })) {
    assert.equal(event.type, "ERROR");
    assert.equal(event.object.reason, "Expired");
  }
});

test("an evicted pod says that it was disrupted", async () => {
  const metadata = { name: "p", finalizers: ["example.com/wait"] };
  await client.create(pods, { apiVersion: "v1", kind: "Pod", metadata, spec: {} });
  const evict = (name: string) =>
    client.create(
      { ...pods, name: "p", subresource: "eviction" },
      { apiVersion: "policy/v1", kind: "Eviction", metadata: { name } },
    );
  await fails(evict("q"), "BadRequest", "name in URL does not match name in Eviction object");
  await evict("p");
  const pod = await client.get({ ...pods, name: "p" });
  assert.ok(pod.metadata.deletionTimestamp);
  const [condition] = pod.status.conditions;
  assert.deepEqual(
    [condition.type, condition.reason],
    ["DisruptionTarget", "EvictionByEvictionAPI"],
  );
});

test("a pod is bound once, and that is no wish of its maker", async () => {
  await client.create(pods, { apiVersion: "v1", kind: "Pod", metadata: { name: "p" }, spec: {} });
  const target = { ...pods, name: "p", subresource: "binding" };
  const binding = {
    apiVersion: "v1",
    kind: "Binding",
    metadata: { name: "p", labels: { zone: "a" }, annotations: { note: "b" } },
    target: { name: "n" },
  };
  const meant = (metadata: object) =>
    client.create(target, { ...binding, metadata: { name: "p", ...metadata } });
  await fails(meant({ name: "q" }), "BadRequest", "name in URL does not match name in Binding");
  await fails(meant({ uid: "x" }), "Conflict", "UID in precondition: x");
  await fails(meant({ resourceVersion: "999" }), "Conflict", "in precondition: 999");
  await client.create(target, binding);
  const pod = await client.get({ ...pods, name: "p" });
  assert.equal(pod.spec.nodeName, "n");
  assert.deepEqual([pod.metadata.labels, pod.metadata.annotations], [{ zone: "a" }, { note: "b" }]);
  assert.equal(pod.metadata.generation, 1);
  assert.equal(pod.status.conditions[0].type, "PodScheduled");
  await fails(client.create(target, binding), "Conflict", "already assigned to node");
});

test("Services get addresses of their own, and give them back", async () => {
  const service = (name: string, spec: object) =>
    client.create(services, { apiVersion: "v1", kind: "Service", metadata: { name }, spec });
  const port = { port: 80, protocol: "TCP" };
  const first = await service("a", { ports: [port] });
  const second = await service("b", { ports: [port], type: "NodePort" });
  assert.notEqual(first.spec.clusterIP, second.spec.clusterIP);
  assert.deepEqual(first.spec.clusterIPs, [first.spec.clusterIP]);
  assert.deepEqual(first.spec.ipFamilies, ["IPv4"]);
  assert.ok(second.spec.ports[0].nodePort >= 30000);
  const none = await service("c", { ports: [port], clusterIP: "None" });
  assert.deepEqual(none.spec.clusterIPs, ["None"]);
  const taken = { clusterIP: first.spec.clusterIP, ports: [port] };
  await fails(service("d", taken), "Invalid", "provided IP is already allocated");
  await fails(
    service("d", { clusterIP: "10.1.1.1", ports: [port] }),
    "Invalid",
    "not in the valid range",
  );
  await client.delete({ ...services, name: "a" });
  assert.equal((await service("d", taken)).spec.clusterIP, first.spec.clusterIP);
});
