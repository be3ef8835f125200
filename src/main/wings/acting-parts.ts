import type { Informers } from "../../client/informers.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { Scope } from "../../lib/scope.ts";
import type { ControlPlane } from "../site/control-plane.ts";

/** What every wing acts with. */
export interface ActingParts {
  informers: Informers;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
}

/** What a wing's controllers act with, at a site or at a cluster of others. */
export interface ControlParts extends ActingParts {
  plane: Pick<ControlPlane, "client" | "discover">;
}
