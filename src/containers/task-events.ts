// Hears of containers that start, end or run out of memory the moment it happens.
import { backoffMs } from "../lib/backoff.ts";
import { sleep, systemClock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import protobuf from "protobufjs";
import type { GrpcConnection } from "../lib/grpc.ts";
import { eventTypes } from "./tasks-protocol.ts";

const delays = { firstMs: 100, maxMs: 5000 };

/** Something happened to a container or sandbox. */
export interface TaskEvent {
  id: string;
  exited: boolean;
}

/** Undefined for the end of a command in a container. */
function eventIn(types: protobuf.Root, topic: string, value: Uint8Array): TaskEvent | undefined {
  const exited = topic === "/tasks/exit";
  const event = types.lookupType(exited ? "TaskExit" : "TaskEvent").decode(value);
  const { container_id, id } = event as unknown as { container_id: string; id?: string };
  return exited && id !== container_id ? undefined : { id: container_id, exited };
}

/** Calls back with each event until the signal aborts. */
export async function followEvents(
  connection: GrpcConnection,
  log: Log,
  signal: AbortSignal,
  changed: (event: TaskEvent) => void,
): Promise<void> {
  const names = { Subscribe: ["SubscribeRequest", "Envelope"] as [string, string] };
  const events = connection.service("/containerd.services.events.v1.Events", eventTypes, names);
  const types = protobuf.Root.fromJSON({ nested: eventTypes });
  const filters = ['topic~="^/tasks/(start|exit|oom)"'];
  for (let failures = 1; !signal.aborted; failures++) {
    try {
      for await (const envelope of events.stream("Subscribe", { filters }, signal)) {
        failures = 1;
        const event = eventIn(types, envelope.topic, envelope.event.value);
        if (event) changed(event);
      }
    } catch (error) {
      log.debug("containerd's events ended", { error: String(error) });
    }
    await sleep(systemClock, backoffMs(failures, delays), signal).catch(() => {});
  }
}
