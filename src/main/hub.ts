// `kerb up --hub`: the centre of many sites. Loaded only when asked for.
import type { Informers } from "../client/informers.ts";
import { startHub } from "../hub/start.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Scope } from "../lib/scope.ts";
import { readCertificateRequest } from "../server/auth/certificate-request.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface HubParts {
  plane: ControlPlane;
  informers: Informers;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
}

function subjectOf(pem: string) {
  try {
    return readCertificateRequest(pem).subject;
  } catch {
    return undefined;
  }
}

export function controlHub({ plane, informers, clock, random, log, scope }: HubParts) {
  return startHub({
    client: plane.client("system:kerb-hub"),
    discover: plane.discover,
    log: log.with({ room: "hub" }),
    subjectOf,
    ...{ informers, clock, random, scope },
  });
}
