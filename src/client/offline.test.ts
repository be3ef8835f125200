import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { startCluster } from "../../test/support/cluster.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { silent } from "../lib/log.ts";
import { Scope } from "../lib/scope.ts";
import { isStatus, StatusError } from "../lib/status-error.ts";
import { resource } from "./client.ts";
import type { Client } from "./client.ts";
import type { Absence } from "./kept-events.ts";
import { createInformer } from "./informer.ts";
import { offlineClient } from "./offline.ts";

const configMaps = { ...resource("v1", "configmaps"), namespace: "default" };

function memoryFiles() {
  const texts = new Map<string, string>();
  let writes = 0;
  return {
    texts,
    writes: () => writes,
    read: (name: string) => texts.get(name),
    write: (name: string, text: string) => {
      writes += 1;
      texts.set(name, text);
    },
    names: () => [...texts.keys()],
    remove: (name: string) => void texts.delete(name),
  };
}

/** A client whose link is cut: everything fails, or a watch says nothing at all. */
const away = (how: "refused" | "silent") =>
  new Proxy({} as Client, {
    get: (_, name) =>
      name === "watch"
        ? async function* (_target: unknown, { signal }: { signal: AbortSignal }) {
            if (how === "refused") throw new StatusError("ServiceUnavailable", "cut");
            await new Promise((resolve) => signal.addEventListener("abort", resolve));
            yield* [];
          }
        : () => Promise.reject(new StatusError("ServiceUnavailable", "cut")),
  });

const follow = (client: Client, clock: FakeClock) => {
  const scope = new Scope();
  const options = { resource: configMaps, namespace: "default", clock, log: silent, scope };
  return { informer: createInformer({ client, ...options }), stop: () => scope.close() };
};
const turns = async () => {
  for (let i = 0; i < 30; i++) await setImmediate();
};
const put = (client: Client, name: string) =>
  client.create(configMaps, { apiVersion: "v1", kind: "ConfigMap", metadata: { name } });

async function remembered() {
  const clock = new FakeClock();
  const { client, scope } = startCluster({ clock });
  const files = memoryFiles();
  for (const name of ["a", "b", "c"]) await put(client, name);
  const online = offlineClient(client, { files, clock });
  const { informer, stop } = follow(online, clock);
  await informer.synced();
  await client.delete({ ...configMaps, name: "b" });
  await turns();
  await clock.advance(10_000);
  return { clock, client, files, stop, scope };
}
const names = (informer: ReturnType<typeof follow>["informer"]) =>
  informer
    .list()
    .map(({ metadata }) => metadata.name)
    .toSorted();

for (const how of ["refused", "silent"] as const) {
  test(`what was seen is there when the server is away (${how})`, async () => {
    const { clock, files, stop, scope } = await remembered();
    await stop();
    const offline = follow(offlineClient(away(how), { files, clock }), clock);
    await turns();
    if (how === "silent") await clock.advance(10_000);
    await offline.informer.synced();
    assert.deepEqual(names(offline.informer), ["a", "c"]);
    await offline.stop();
    await scope.close();
  });
}

test("any answer says that the server is back", async () => {
  const { clock, client, files, stop, scope } = await remembered();
  await stop();
  let isCut = true;
  const link = new Proxy(client, {
    get: (target, name) => Reflect.get(isCut ? away("refused") : target, name),
  });
  const offline = offlineClient(link, { files, clock });
  const { informer, stop: end } = follow(offline, clock);
  await informer.synced();
  assert.equal(offline.reach.isAway(), true);
  await assert.rejects(offline.get({ ...configMaps, name: "a" }));
  assert.equal(offline.reach.isAway(), true);
  isCut = false;
  await offline.get({ ...configMaps, name: "a" });
  assert.equal(offline.reach.isAway(), false);
  await end();
  await scope.close();
});

test("when the server is back, what happened meanwhile is told", async () => {
  const { clock, client, files, stop, scope } = await remembered();
  await stop();
  let isCut = true;
  const link = new Proxy(client, {
    get: (target, name) => Reflect.get(isCut ? away("refused") : target, name),
  });
  const { informer, stop: end } = follow(offlineClient(link, { files, clock }), clock);
  await informer.synced();
  await put(client, "d");
  await client.delete({ ...configMaps, name: "a" });
  isCut = false;
  for (let i = 0; i < 10; i++) {
    await clock.advance(5000);
    await turns();
  }
  assert.deepEqual(names(informer), ["c", "d"]);
  await end();
  await scope.close();
});

test("many changes are few writes", async () => {
  const { clock, client, files, stop, scope } = await remembered();
  const before = files.writes();
  for (let i = 0; i < 100; i++) await put(client, `x${i}`);
  await turns();
  await clock.advance(10_000);
  assert.equal(files.writes(), before + 1);
  await stop();
  await scope.close();
});

test("a lone change is written within a second", async () => {
  const { clock, client, files, stop, scope } = await remembered();
  await clock.advance(60_000);
  const before = files.writes();
  await put(client, "x");
  await turns();
  await clock.advance(1000);
  assert.equal(files.writes(), before + 1);
  await stop();
  await scope.close();
});

test("an hour of heartbeats writes nothing, and what is new is written", async () => {
  const clock = new FakeClock();
  const files = memoryFiles();
  let revision = 1;
  const node = (ready: string) => ({
    apiVersion: "v1",
    kind: "Node",
    metadata: { name: "a", uid: "a", resourceVersion: String(revision++) },
    status: { conditions: [{ type: "Ready", status: ready, lastHeartbeatTime: clock.now() }] },
  });
  const bookmark = (annotations?: object) => ({
    type: "BOOKMARK",
    object: { metadata: { resourceVersion: String(revision), annotations } },
  });
  async function* watch() {
    yield { type: "ADDED", object: node("True") };
    yield bookmark({ "k8s.io/initial-events-end": "true" });
    for (let minute = 0; minute < 60; minute++) {
      yield { type: "MODIFIED", object: node("True") };
      yield bookmark();
    }
    yield { type: "MODIFIED", object: node("False") };
  }
  const client = offlineClient({ watch } as unknown as Client, { files, clock });
  for await (const _ of client.watch(resource("v1", "nodes"), { sendInitialEvents: true })) {
    await clock.advance(60_000);
  }
  assert.equal(files.writes(), 2);
  assert.match([...files.texts.values()].join(), /"status":"False"/);
});

test("a token is remembered, other writes fail", async () => {
  const clock = new FakeClock();
  const files = memoryFiles();
  const target = { ...resource("v1", "serviceaccounts"), namespace: "default", name: "web" };
  const asked = { apiVersion: "authentication.k8s.io/v1", kind: "TokenRequest", spec: {} } as never;
  const given = { status: { token: "t" } };
  const server = { create: async () => given } as unknown as Client;
  const token = { ...target, subresource: "token" };
  assert.deepEqual(await offlineClient(server, { files, clock }).create(token, asked), given);
  const offline = offlineClient(away("refused"), { files, clock });
  assert.deepEqual(await offline.create(token, asked), given);
  await assert.rejects(put(offline, "x"), (error) => isStatus(error, "ServiceUnavailable"));
});

test("what volumes are asked for by name is remembered, and written once", async () => {
  const { clock, client, files, stop, scope } = await remembered();
  const claims = { ...resource("v1", "persistentvolumeclaims"), namespace: "default" };
  const claim = { ...claims, name: "data" };
  const resources = { requests: { storage: "1Mi" } };
  await client.create(claims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name: "data" },
    spec: { accessModes: ["ReadWriteOnce"], resources },
  } as never);
  const online = offlineClient(client, { files, clock });
  const before = files.writes();
  const seen = await online.get(claim);
  await online.get(claim);
  assert.equal(files.writes(), before + 1);
  const offline = offlineClient(away("refused"), { files, clock });
  assert.deepEqual(await offline.get(claim), seen);
  await assert.rejects(offline.get({ ...claim, name: "other" }));
  await assert.rejects(offline.get({ ...configMaps, name: "a" }));
  await stop();
  await scope.close();
});

test("events of a time without a server are told when it is back, after a restart too", async () => {
  const { clock, client, files, stop, scope } = await remembered();
  await stop();
  const events = { ...resource("v1", "events"), namespace: "default" };
  const event = (name: string) => ({
    apiVersion: "v1",
    kind: "Event",
    metadata: { name },
    involvedObject: { kind: "Pod", namespace: "default", name: "web" },
  });
  const cut = offlineClient(away("refused"), { files, clock });
  for (const name of ["first", "second"]) await cut.create(events, event(name) as never);
  cut.flush();
  const returns: Absence[] = [];
  const back = offlineClient(client, { files, clock, onReturn: (one) => returns.push(one) });
  const { informer, stop: end } = follow(back, clock);
  await informer.synced();
  await turns();
  const { items } = await client.list(events);
  assert.deepEqual(items.map(({ metadata }) => metadata.name).toSorted(), ["first", "second"]);
  assert.deepEqual(returns, [{ awayMs: 0, events: 2, dropped: 0 }]);
  await clock.advance(10_000);
  assert.equal(files.texts.get("events"), "[]");
  await end();
  await scope.close();
});

test("how long the server was away is known by the clock that never jumps", async () => {
  const { clock, client, files, stop, scope } = await remembered();
  await stop();
  let isCut = true;
  const link = new Proxy(client, {
    get: (target, name) => Reflect.get(isCut ? away("refused") : target, name),
  });
  const returns: Absence[] = [];
  const onReturn = (one: Absence) => void returns.push(one);
  const online = offlineClient(link, { files, clock, onReturn });
  const reached: boolean[] = [];
  online.reach.onChange(() => reached.push(online.reach.isAway()));
  const { informer, stop: end } = follow(online, clock);
  await informer.synced();
  clock.jumpTo(Date.UTC(2100, 0, 1));
  await clock.advance(600_000);
  isCut = false;
  for (let i = 0; i < 20; i++) {
    await clock.advance(5000);
    await turns();
  }
  assert.deepEqual(reached, [true, false]);
  assert.equal(returns.length, 1);
  assert.ok(returns[0]!.awayMs >= 600_000 && returns[0]!.awayMs < 700_000);
  await end();
  await scope.close();
});

test("what is seen is on disk as soon as it is whole", async () => {
  const clock = new FakeClock();
  const { client, scope } = startCluster({ clock });
  const files = memoryFiles();
  await put(client, "a");
  const { informer, stop } = follow(offlineClient(client, { files, clock }), clock);
  await informer.synced();
  assert.match([...files.texts.values()].join(), /"name":"a"/);
  await stop();
  await scope.close();
});

test("what a pod named is forgotten when the pod is gone and nobody follows it", async () => {
  const clock = new FakeClock();
  const { client, scope } = startCluster({ clock });
  const files = memoryFiles();
  await put(client, "a");
  const online = offlineClient(client, { files, clock });
  const own = new Scope();
  const fieldSelector = "metadata.name=a";
  const options = { resource: configMaps, namespace: "default", fieldSelector };
  const informer = createInformer({ client: online, ...options, clock, log: silent, scope: own });
  await informer.synced();
  online.keepOnly([]);
  assert.equal(files.texts.size, 1, "it is followed");
  await own.close();
  const volumes = [{ name: "v", configMap: { name: "a" } }];
  const pod = { metadata: { name: "p", namespace: "default", uid: "1" }, spec: { volumes } } as any;
  online.keepOnly([pod]);
  assert.equal(files.texts.size, 1, "a pod names it");
  online.keepOnly([]);
  assert.equal(files.texts.size, 0);
  await clock.advance(60_000);
  online.flush();
  assert.equal(files.texts.size, 0, "nothing is written late");
  await scope.close();
});
