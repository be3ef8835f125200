// The hub wing, of `kerb up --hub` and `kerb run --wings hub`: the centre of many sites. Loaded only when asked for.
import { generateKeyPairSync } from "node:crypto";
import type { Informers } from "../client/informers.ts";
import { Misconfigured } from "../hub/placement/model.ts";
import type { CelMatch } from "../hub/placement/model.ts";
import { startReach } from "../hub/reach/publish.ts";
import { startHub } from "../hub/start.ts";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Random } from "../lib/random.ts";
import type { Scope } from "../lib/scope.ts";
import { readCertificateRequest } from "../server/auth/certificate-request.ts";
import { loadCel } from "../server/cel/load.ts";
import { issueCertificate } from "../server/auth/x509.ts";
import type { ControlPlane } from "./control-plane.ts";

const dayMs = 86_400_000;

export interface HubParts {
  plane: Pick<ControlPlane, "client" | "discover">;
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

/** Expressions of placements over one `managedCluster`. */
async function loadCelMatch(): Promise<CelMatch> {
  const { CelScope } = await loadCel();
  const noSchema = (name: string) => {
    throw new Error(`no schema of ${name} is needed here`);
  };
  const scope = new CelScope(noSchema).declare("managedCluster");
  return (expression, managedCluster) => {
    const compiled = scope.compile(expression, ["bool"]);
    if ("error" in compiled) throw new Misconfigured(`${expression}: ${compiled.error}`);
    try {
      return compiled.program.evaluate({ managedCluster }) === true;
    } catch {
      // A cluster that lacks what is asked for is not asked for.
      return false;
    }
  };
}

/** Made at each start, with an authority that signs nothing else. */
function makeServing(clock: Clock, random: Random) {
  return (name: string) => {
    const make = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
    const authority = make();
    const own = make();
    const subject = { commonName: `${name}-${random.suffix(5)}` };
    const issuer = { subject, privateKey: authority.privateKey };
    const life = { notBeforeMs: clock.now() - dayMs, notAfterMs: clock.now() + 3650 * dayMs };
    const ca = issueCertificate(
      { subject, publicKey: authority.publicKey, usage: "ca", ...life },
      issuer,
    );
    const asked = { subject: { commonName: name }, publicKey: own.publicKey, names: [name] };
    const cert = issueCertificate({ ...asked, usage: "server", ...life }, issuer);
    return { ca, cert, key: own.privateKey.export({ type: "pkcs8", format: "pem" }).toString() };
  };
}

export async function controlHub({ plane, informers, clock, random, log, scope }: HubParts) {
  return startHub({
    cel: await loadCelMatch(),
    client: plane.client("system:kerb-hub"),
    discover: plane.discover,
    log: log.with({ room: "hub" }),
    subjectOf,
    ...{ informers, clock, random, scope },
  });
}

/** Lets people reach the hub's sites by its API. */
export async function openReach({ plane, clock, random, log, scope }: HubParts, host: string) {
  await startReach({
    host,
    client: plane.client("system:kerb-hub"),
    makeServing: makeServing(clock, random),
    log: log.with({ room: "reach" }),
    ...{ clock, scope },
  });
}
