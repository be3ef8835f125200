import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../kinds/object.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { silent } from "../lib/log.ts";
import { Mailbox } from "../lib/mailbox.ts";
import { StatusError } from "../lib/status-error.ts";
import { Scope } from "../lib/scope.ts";
import { resource } from "./client.ts";
import type { Client, Reach, WatchEvent, WatchOptions } from "./client.ts";
import { createInformer } from "./informer.ts";

const configMaps = resource("v1", "configmaps");
const object = (name: string, resourceVersion: string): KubeObject => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "default", uid: name, resourceVersion, creationTimestamp: "" },
});
const bookmark = (resourceVersion: string, end = false): WatchEvent => {
  const { metadata, ...rest } = object("", resourceVersion);
  const annotations = { "k8s.io/initial-events-end": "true" };
  return {
    type: "BOOKMARK",
    object: { ...rest, metadata: { ...metadata, ...(end && { annotations }) } },
  };
};
const added = (name: string, revision: string): WatchEvent => ({
  type: "ADDED",
  object: object(name, revision),
});

interface StageOptions {
  streams?: boolean;
  ends?: boolean;
  /** The error of a server that does not stream. */
  why?: "Invalid" | "InternalError";
  reach?: Reach;
}

/** A server whose watches are played by the test. */
function stage({ streams = true, ends = false, why = "Invalid", reach }: StageOptions = {}) {
  const watches: { options: WatchOptions; events: Mailbox<WatchEvent> }[] = [];
  const lists: KubeObject[][] = [];
  const client = {
    ...(reach && { reach }),
    watch(_target: unknown, options: WatchOptions) {
      if (options.sendInitialEvents && !streams) {
        throw new StatusError(why, "no streams");
      }
      const events = new Mailbox<WatchEvent>();
      if (ends) events.end();
      watches.push({ options, events });
      return events;
    },
    async list() {
      const metadata = { resourceVersion: "10" };
      return { apiVersion: "v1", kind: "ConfigMapList", metadata, items: lists.shift() ?? [] };
    },
  } as unknown as Client;
  const clock = new FakeClock();
  const scope = new Scope();
  const informer = createInformer({ client, resource: configMaps, clock, log: silent, scope });
  const told: string[] = [];
  const version = ({ metadata }: KubeObject) => `${metadata.name}@${metadata.resourceVersion}`;
  informer.subscribe({
    onAdd: (o) => told.push(`+${version(o)}`),
    onUpdate: (o, before) => told.push(`${version(before)}>${o.metadata.resourceVersion}`),
    onDelete: (o) => told.push(`-${version(o)}`),
  });
  let synced = false;
  void informer.synced().then(() => (synced = true));
  return { watches, lists, clock, scope, informer, told, isSynced: () => synced };
}

test("what exists comes as the first events of a watch, and then the informer is synced", async () => {
  const { watches, clock, told, isSynced, informer, scope } = stage();
  await clock.advance(0);
  const [first] = watches;
  assert.equal(first!.options.sendInitialEvents, true);
  first!.events.put(added("a", "3"));
  await clock.advance(0);
  assert.equal(isSynced(), false);
  first!.events.put(bookmark("5", true));
  await clock.advance(0);
  assert.equal(isSynced(), true);
  first!.events.put({ type: "MODIFIED", object: object("a", "6") });
  first!.events.put({ type: "DELETED", object: object("a", "7") });
  await clock.advance(0);
  assert.deepEqual(told, ["+a@3", "a@3>6", "-a@7"]);
  assert.deepEqual(informer.list("default"), []);
  await scope.close();
});

test("a watch that breaks is taken up from the last event, and replays nothing", async () => {
  const { watches, clock, told, scope } = stage();
  await clock.advance(0);
  watches[0]!.events.put(bookmark("5", true));
  watches[0]!.events.put(added("a", "6"));
  await clock.advance(0);
  watches[0]!.events.end(new Error("connection reset"));
  await clock.advance(200);
  assert.equal(watches[1]!.options.resourceVersion, "6");
  watches[1]!.events.put(bookmark("9"));
  await clock.advance(0);
  watches[1]!.events.end();
  await clock.advance(200);
  assert.equal(watches[2]!.options.resourceVersion, "9");
  assert.deepEqual(told, ["+a@6"]);
  await scope.close();
});

test("a watch that is too old starts over, and what went missing is told as deleted", async () => {
  const { watches, clock, told, scope } = stage();
  await clock.advance(0);
  for (const event of [added("a", "1"), added("b", "2"), added("c", "3"), bookmark("5", true)]) {
    watches[0]!.events.put(event);
  }
  const expired = new StatusError("Expired", "too old resource version").toStatus();
  watches[0]!.events.put({ type: "ERROR", object: expired });
  await clock.advance(200);
  assert.equal(watches[1]!.options.sendInitialEvents, true);
  for (const event of [added("a", "1"), added("b", "8"), bookmark("9", true)]) {
    watches[1]!.events.put(event);
  }
  await clock.advance(0);
  assert.deepEqual(told, ["+a@1", "+b@2", "+c@3", "b@2>8", "-c@3"]);
  await scope.close();
});

for (const why of ["Invalid", "InternalError"] as const) {
  test(`a server that cannot stream lists (${why}) is listed and watched`, async () => {
    const { watches, lists, clock, told, isSynced, scope } = stage({ streams: false, why });
    lists.push([object("a", "3")]);
    await clock.advance(200);
    assert.equal(isSynced(), true);
    assert.deepEqual(told, ["+a@3"]);
    assert.equal(watches[0]!.options.resourceVersion, "10");
    await scope.close();
  });
}

test("a server that is back without the past that was seen is asked anew at once, however long it was away", async () => {
  const { watches, clock, scope } = stage();
  await clock.advance(0);
  watches[0]!.events.put(bookmark("5", true));
  await clock.advance(0);
  for (let i = 0; i < 8; i++) {
    watches.at(-1)!.events.end(new Error("connection refused"));
    await clock.advance(20_000);
  }
  const known = watches.length;
  watches.at(-1)!.events.put({
    type: "ERROR",
    object: new StatusError("Expired", "too old resource version: 5 (100)").toStatus(),
  });
  await clock.advance(200);
  assert.equal(watches.length, known + 1);
  assert.equal(watches.at(-1)!.options.sendInitialEvents, true);
  await scope.close();
});

test("a server that is known to be back is asked at once, however long it was away", async () => {
  let isAway = true;
  let changed = () => {};
  const onChange = (listener: () => void) => {
    changed = listener;
    return () => (changed = () => {});
  };
  const { watches, clock, scope } = stage({ reach: { isAway: () => isAway, onChange } });
  for (let seconds = 0; seconds < 300; seconds++) {
    await clock.advance(1000);
    watches.at(-1)!.events.end(new StatusError("ServiceUnavailable", "cut"));
  }
  await clock.advance(0);
  const tries = watches.length;
  assert.ok(tries < 40, `${tries} tries in five minutes`);
  isAway = false;
  changed();
  await clock.advance(0);
  assert.equal(watches.length, tries + 1);
  await scope.close();
});

test("a server that ends every watch at once is asked less and less often", async () => {
  const { watches, clock, scope } = stage({ ends: true });
  await clock.advance(60_000);
  assert.ok(watches.length < 20, `${watches.length} watches in a minute`);
  await scope.close();
});
