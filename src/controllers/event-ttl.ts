// Events older than an hour go, as Kubernetes' own do.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller } from "./runtime.ts";

const events = resource("v1", "events");
const ttlMs = 60 * 60_000;

/** The newest of its times: an event about the past, or told again, lives on from when it was written. */
function lastSeen(event: KubeObject): number {
  const { creationTimestamp, managedFields = [] } = event.metadata;
  const times = [
    creationTimestamp,
    ...managedFields.map(({ time }) => time),
    event["series"]?.lastObservedTime,
    event["lastTimestamp"],
    event["eventTime"],
  ];
  return Math.max(...times.map((time) => Date.parse(time) || 0));
}

export const eventTtlController: Controller = {
  name: "event-ttl",
  inputs: [{ resource: events }],
  outputs: [events],
  async reconcile(key, { client, clock, informer, wakeAfter }) {
    const [namespace, name] = key.split("/") as [string, string];
    const event = informer(events).get(name, namespace);
    if (!event) return;
    const leftMs = lastSeen(event) + ttlMs - clock.now();
    // A time that lies ahead was given by a wrong clock: the event gets one lifetime from now.
    if (leftMs > 0) return wakeAfter(key, Math.min(leftMs, ttlMs));
    await client.delete({ ...events, namespace, name }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  },
};
