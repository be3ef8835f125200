// What acts on the objects of a control plane: controllers, scheduler, garbage collector.
import { eventRecorder } from "../../client/events.ts";
import type { Informers } from "../../client/informers.ts";
import { startGarbageCollector } from "../../controllers/garbage-collector.ts";
import { controllers } from "../../controllers/list.ts";
import { startControllers } from "../../controllers/runtime.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Random } from "../../lib/random.ts";
import type { Scope } from "../../lib/scope.ts";
import { startScheduler } from "../../scheduler/scheduler.ts";
import { signSecretToken } from "../../server/auth/secret-token.ts";
import type { SecretTokenOf } from "../../server/auth/secret-token.ts";
import { isOwnSigner, nodeOf, signRequest } from "../../server/auth/signers.ts";
import type { SigningSpec } from "../../server/auth/signers.ts";
import { familiesOf } from "./site-settings.ts";
import type { SiteAddresses } from "./site-settings.ts";
import type { ControlPlane } from "./control-plane.ts";

export interface ControlOptions {
  plane: Pick<ControlPlane, "client" | "discover" | "pki">;
  informers: Informers;
  addresses: SiteAddresses;
  /** Of nodes, on which the site itself answers. */
  ownPorts?: number[];
  autonomy?: string | undefined;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
}

export async function startControl(parts: ControlOptions) {
  const { plane, informers, clock, random, log, scope } = parts;
  const client = plane.client("system:kube-controller-manager");
  const options = { client, clock, random, log, scope, informers, discover: plane.discover };
  const authority = {
    clusterCidrs: familiesOf(parts.addresses).map(({ clusterCidr }) => clusterCidr),
    reservedPorts: new Set(parts.ownPorts),
    autonomy: parts.autonomy,
    ca: () => plane.pki.ca(),
    isOwn: isOwnSigner,
    nodeOf,
    secretToken: (of: SecretTokenOf) => signSecretToken(of, plane.pki.serviceAccountKey),
    sign: (spec: SigningSpec, how: { anyClock: boolean }) => signRequest(plane.pki, spec, how),
  };
  await startControllers(controllers(authority), options);
  const schedulerClient = plane.client("system:kube-scheduler");
  await startScheduler({
    client: schedulerClient,
    clock,
    random,
    log: log.with({ room: "scheduler" }),
    scope,
    informers: (wanted) => informers.get({ resource: wanted }),
    loadSelector: async () =>
      (await import("../../server/cel/device-selector.ts")).loadDeviceSelector(),
    event: eventRecorder({
      client: schedulerClient,
      clock,
      random,
      log,
      component: "default-scheduler",
    }),
  });
  await startGarbageCollector(options);
}
