// Hears of containers that start, end or run out of memory the moment it happens.
import { backoffMs } from "../lib/backoff.ts";
import { sleep, systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import protobuf from "protobufjs";
import type { GrpcConnection } from "./grpc.ts";
import { eventTypes } from "./tasks-protocol.ts";

const delays = { firstMs: 100, maxMs: 5000 };

/** Calls back with the id of each container something happened to, until the signal aborts. */
export async function followEvents(
  connection: GrpcConnection,
  log: Log,
  signal: AbortSignal,
  changed: (containerId: string) => void,
): Promise<void> {
  const names = { Subscribe: ["SubscribeRequest", "Envelope"] as [string, string] };
  const events = connection.service("/containerd.services.events.v1.Events", eventTypes, names);
  const taskEvent = protobuf.Root.fromJSON({ nested: eventTypes }).lookupType("TaskEvent");
  const filters = ['topic~="^/tasks/(start|exit|oom)"'];
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      for await (const envelope of events.stream("Subscribe", { filters }, signal)) {
        failures = 1;
        const { container_id } = taskEvent.decode(envelope.event.value) as unknown as {
          container_id: string;
        };
        changed(container_id);
      }
    } catch (error) {
      log.debug("containerd's events ended", { error: String(error) });
    }
    await sleep(systemClock, backoffMs(failures, delays), signal).catch(() => {});
  }
}
