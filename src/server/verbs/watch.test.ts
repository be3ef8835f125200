import assert from "node:assert/strict";
import { beforeEach, test } from "node:test";
import { localClient } from "../../client/local.ts";
import { resource, type Client } from "../../client/client.ts";
import { Kinds } from "../../kinds/kinds.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { silent } from "../../lib/log.ts";
import { seededRandom } from "../../lib/random.ts";
import { memoryStore } from "../../store/memory.ts";
import { createServer, type ApiServer } from "../server.ts";
import { testKind } from "../test-kinds.ts";

const gadgets = { ...resource("example.com/v1", "gadgets"), namespace: "default" };
const pods = { ...resource("v1", "pods"), namespace: "default" };

let clock: FakeClock;
let server: ApiServer;
let client: Client;

beforeEach(() => {
  clock = new FakeClock();
  const kinds = new Kinds();
  kinds.add(testKind("example.com", "v1", "Gadget", {}));
  kinds.add(testKind("", "v1", "Pod", {}));
  const parts = { store: memoryStore(), kinds, clock, random: seededRandom(1), log: silent };
  server = createServer({ ...parts, serviceCidrs: ["10.96.0.0/24"] });
  client = localClient(server, { name: "admin", groups: ["system:masters"] }, "test");
});

const make = (name: string) =>
  client.create(gadgets, { apiVersion: "example.com/v1", kind: "Gadget", metadata: { name } });

test("a quiet watch is told how far it is", async () => {
  const stop = new AbortController();
  const { metadata } = await client.list(pods);
  const events = client.watch(pods, {
    resourceVersion: metadata.resourceVersion,
    allowWatchBookmarks: true,
    signal: stop.signal,
  });
  const first = events[Symbol.asyncIterator]().next();
  await make("a");
  await clock.advance(60_000);
  const { value } = await first;
  assert.equal(value.type, "BOOKMARK");
  assert.equal(Number(value.object.metadata.resourceVersion), server.store.revision());
  stop.abort();
});

test("a watch that goes on telling nothing is told how far it is more and more seldom", async () => {
  const stop = new AbortController();
  const { metadata } = await client.list(pods);
  const events = client.watch(pods, {
    resourceVersion: metadata.resourceVersion,
    allowWatchBookmarks: true,
    signal: stop.signal,
  });
  let told = 0;
  const reading = (async () => {
    for await (const _ of events) told++;
  })();
  const afterMinutes: number[] = [];
  for (let minute = 0; minute < 12; minute++) {
    await clock.advance(60_000);
    afterMinutes.push(told);
  }
  assert.deepEqual(afterMinutes, [1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4]);
  stop.abort();
  await reading;
});
