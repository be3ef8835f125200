// `kerb up --vms`: virtual machines as KubeVirt has them. Loaded only when asked for.
import type { Informers } from "../client/informers.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Scope } from "../lib/scope.ts";
import { startVmControllers } from "../vms/start.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface VmsOptions {
  plane: Pick<ControlPlane, "client" | "discover">;
  informers: Informers;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
}

export function controlVms({ plane, informers, clock, random, log, scope }: VmsOptions) {
  const client = plane.client("system:kubevirt-controller");
  const room = log.with({ room: "vms" });
  const { discover } = plane;
  return startVmControllers({ client, discover, informers, clock, random, log: room, scope });
}
