// How the devices of claims on this node are, for its kubelet (DRAResourceHealth): one is well while the search sees
// it. Told at every change, and now and then, since what a kubelet does not hear again it does not believe for long.
import type { GrpcMethod } from "../../lib/grpc-server.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Instance } from "../kinds/instance.ts";
import { isClaimed, parseUsage } from "../plugins/slots.ts";
import { deviceOfHolder, poolOf } from "./names.ts";

const lookMs = 1000;
const repeatMs = 10_000;
const timeoutSeconds = 30;

interface DeviceHealth {
  device: { pool_name: string; device_name: string };
  health: "HEALTHY" | "UNHEALTHY";
  message: string;
}

export interface HealthOptions {
  node: string;
  known: () => Instance[];
  /** Undefined while it is not seen here. */
  allocationOf: (instance: Instance) => unknown;
  clock: Clock;
}

const awayOf = ({ status }: Instance, node: string) =>
  status?.nodes?.find(({ name, reason }) => name === node && reason === "Away");

/** Of what this node's claims hold. Pure. */
export function healthOf({ node, known, allocationOf }: Omit<HealthOptions, "clock">) {
  const told: DeviceHealth[] = [];
  for (const instance of known()) {
    const { metadata, spec } = instance;
    const away = awayOf(instance, node);
    const isSeen = !away && allocationOf(instance) !== undefined;
    const message = isSeen ? "" : (away?.message ?? `${node} does not see it`);
    for (const text of Object.values(spec.deviceUsage ?? {})) {
      const usage = parseUsage(text);
      if (usage?.node !== node || !isClaimed(usage.virtualDevice)) continue;
      const pool_name = poolOf(metadata.namespace!, metadata.name);
      const device = { pool_name, device_name: deviceOfHolder(usage.virtualDevice!) };
      told.push({ device, health: isSeen ? "HEALTHY" : "UNHEALTHY", message });
    }
  }
  return told;
}

export function watchHealth(options: HealthOptions): GrpcMethod {
  const { clock } = options;
  return {
    request: "NodeWatchResourcesRequest",
    response: "NodeWatchResourcesResponse",
    stream: (_, write, signal) => {
      let before = "";
      let toldAt = -Infinity;
      const look = () => {
        const told = healthOf(options);
        const text = JSON.stringify(told);
        const now = clock.monotonic();
        if (text === before && now - toldAt < repeatMs) return;
        before = text;
        toldAt = now;
        const last_updated_time = Math.floor(clock.now() / 1000);
        const more = { last_updated_time, health_check_timeout_seconds: timeoutSeconds };
        write({ devices: told.map((one) => ({ ...one, ...more })) });
      };
      look();
      signal.addEventListener("abort", clock.every(lookMs, look), { once: true });
    },
  };
}
