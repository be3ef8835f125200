import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { timestamp } from "../lib/clock.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { eventTtlController } from "./event-ttl.ts";

const events = resource("v1", "events");
const minuteMs = 60_000;

test("an event goes an hour after it was last seen, whatever the clock said then", async () => {
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
  await clock.advance(5 * minuteMs);
  assert.deepEqual(left(), ["ahead", "new", "old"]);
  await clock.advance(10 * minuteMs);
  assert.deepEqual(left(), ["ahead", "new"]);
  await clock.advance(50 * minuteMs);
  assert.deepEqual(left(), ["ahead"]);
  await cluster.scope.close();
});
