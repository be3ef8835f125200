import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { timestamp } from "../lib/clock.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { eventTtlController } from "./event-ttl.ts";

const events = resource("v1", "events");
const minuteMs = 60_000;

test("an event goes an hour after it was made or last seen, however old is what it tells of", async () => {
  const clock = new FakeClock();
  const cluster = await startControlled([eventTtlController], { clock });
  const create = (name: string, seenMs: number) =>
    cluster.client.create(
      { ...events, namespace: "default" },
      {
        apiVersion: "v1",
        kind: "Event",
        metadata: { name },
        involvedObject: { kind: "Pod", namespace: "default", name: "x" },
        lastTimestamp: timestamp(clock.now() + seenMs),
      },
    );
  const left = () =>
    cluster
      .informer(events)
      .list()
      .map(({ metadata }) => metadata.name)
      .sort();
  await cluster.informer(events).synced();
  await create("new", 0);
  await create("old", -50 * minuteMs);
  await create("ahead", 600 * minuteMs);
  await create("ancient", -600 * minuteMs);
  await clock.advance(40 * minuteMs);
  assert.deepEqual(left(), ["ahead", "ancient", "new", "old"]);
  await cluster.client.patch({ ...events, namespace: "default", name: "old" }, "merge", {
    lastTimestamp: timestamp(clock.now()),
  });
  await clock.advance(25 * minuteMs);
  assert.deepEqual(left(), ["ahead", "old"]);
  await clock.advance(40 * minuteMs);
  assert.deepEqual(left(), ["ahead"]);
  await cluster.scope.close();
});
