// What is built on the client, tried against a server in this process.
import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startCluster } from "../../test/support/cluster.ts";
import type { Cluster } from "../../test/support/cluster.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { apply } from "./apply.ts";
import { resource } from "./client.ts";
import { eventRecorder } from "./events.ts";
import { createInformer } from "./informer.ts";
import { waitFor } from "./wait.ts";

const configMaps = resource("v1", "configmaps");
const events = resource("v1", "events");
const namespace = "default";
const draft = (name: string, data: object = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace },
  data,
});

let cluster: Cluster;
beforeEach(() => (cluster = startCluster()));
afterEach(() => cluster.scope.close());

test("two informers of one resource hold the very same objects", async () => {
  const { client, clock, log, scope } = cluster;
  await client.create({ ...configMaps, namespace }, draft("a"));
  const options = { client, clock, log, scope, resource: configMaps };
  const [one, two] = [createInformer(options), createInformer(options)];
  await Promise.all([one.synced(), two.synced()]);
  assert.ok(one.get("a", namespace));
  assert.equal(one.get("a", namespace), two.get("a", namespace));
});

test("an index finds objects by what they say now", async () => {
  const { client, informer } = cluster;
  const maps = informer(configMaps);
  maps.addIndex("color", (map) => (map["data"]?.color ? [map["data"].color] : []));
  const target = { ...configMaps, namespace };
  await client.create(target, draft("a", { color: "red" }));
  await cluster.until(configMaps, (all) => all.length === 1 || undefined);
  assert.equal(maps.byIndex("color", "red").length, 1);
  await client.patch({ ...target, name: "a" }, "merge", { data: { color: "blue" } });
  await cluster.until(configMaps, ([a]) => a!["data"].color === "blue" || undefined);
  assert.equal(maps.byIndex("color", "red").length, 0);
  assert.equal(maps.byIndex("color", "blue").length, 1);
});

test("a wait ends when the object is as wished, gone included, and not before", async () => {
  const { client, clock } = cluster;
  const target = { ...configMaps, namespace, name: "a" };
  const options = { clock, timeoutMs: 60_000 };
  const blue = waitFor(client, target, (map) => map?.["data"]?.color === "blue", options);
  await client.create({ ...configMaps, namespace }, draft("b", { color: "blue" }));
  await client.create({ ...configMaps, namespace }, draft("a", { color: "red" }));
  await client.patch(target, "merge", { data: { color: "blue" } });
  assert.equal((await blue)!.metadata.name, "a");
  const gone = waitFor(client, target, (map) => map === undefined, options);
  await client.delete(target);
  assert.equal(await gone, undefined);
});

test("a wait that takes too long says what it waited for", async () => {
  const clock = new FakeClock();
  const target = { ...configMaps, namespace, name: "a" };
  const options = { clock, timeoutMs: 1000 };
  const waiting = waitFor(cluster.client, target, (map) => map !== undefined, options);
  const refused = assert.rejects(waiting, { reason: "Timeout", message: /configmaps "a"/ });
  await clock.advance(1000);
  await refused;
});

test("what is applied is made so, and what another set stays", async () => {
  const { client } = cluster;
  const owner = { fieldManager: "kerb" };
  await apply(client, configMaps, draft("a", { one: "1", two: "2" }), owner);
  const target = { ...configMaps, namespace, name: "a" };
  await client.patch(target, "merge", { data: { three: "3" } });
  const applied = await apply(client, configMaps, draft("a", { one: "1" }), owner);
  assert.deepEqual(applied["data"], { one: "1", three: "3" });
});

test("an event told again counts, and one object cannot flood", async () => {
  const { client, clock, random, log } = cluster;
  const map = await client.create({ ...configMaps, namespace }, draft("a"));
  const record = eventRecorder({ client, clock, random, log, component: "test" });
  for (let i = 0; i < 3; i++) record(map, "Normal", "Seen", "again");
  const seen = await cluster.until(events, (all) => all.find((event) => event["count"] === 3));
  assert.equal(seen["involvedObject"].uid, map.metadata.uid);
  assert.equal(seen["source"].component, "test");
  for (let i = 0; i < 100; i++) record(map, "Normal", "Flood", `${i}`);
  await cluster.until(events, (all) => all.length === 23 || undefined);
  const list = await client.list({ ...events, namespace });
  assert.equal(list.items.length, 23);
});
