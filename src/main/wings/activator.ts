// Services whose Deployments sleep are answered at the address that pods reach.
import type { Informers } from "../../client/informers.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { startActivator } from "../../wasm/activator/activator.ts";
import type { ControlPlane } from "../site/control-plane.ts";

interface ActingParts {
  plane: Pick<ControlPlane, "client">;
  informers: Informers;
  clock: Clock;
  log: Log;
  scope: Scope;
}

export function wakeSleepers(
  { plane, informers, clock, log, scope }: ActingParts,
  address: string,
) {
  const client = plane.client("system:kube-controller-manager");
  const room = log.with({ room: "activator" });
  return startActivator({ client, informers, address, clock, log: room, scope });
}
