// `kerb up --devices`: leaf devices as Akri has them. Loaded only when asked for.
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import type { Informers } from "../client/informers.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Scope } from "../lib/scope.ts";
import { startDeviceControllers, startDeviceSearch } from "../devices/start.ts";
import { usualKubelet } from "./kubelet-directory.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface DevicesOptions {
  /** Of the site. */
  directory: string;
  plane: ControlPlane;
  informers: Informers;
  kubeletDirectory?: string;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
}

export function controlDevices({ plane, ...parts }: DevicesOptions) {
  const client = plane.client("system:akri-controller");
  return startDeviceControllers({ ...parts, client, discover: plane.discover });
}

export async function searchDevices(
  { plane, informers, kubeletDirectory, directory, clock, random, log, scope }: DevicesOptions,
  { node }: { node: string },
) {
  const own = join(directory, "devices");
  await mkdir(own, { recursive: true });
  const room = log.with({ room: "devices" });
  const paths = { sys: "/sys", udev: "/run/udev", dev: "/dev" };
  await startDeviceSearch({
    client: plane.client("system:akri-agent"),
    informers,
    node,
    registry: plane.server.registry,
    world: { clock, random, log: room, directory: own, paths },
    ...(kubeletDirectory && { kubeletDirectory }),
    akriDirectory: kubeletDirectory === usualKubelet ? "/var/lib/akri" : join(own, "akri"),
    scope,
  });
}
