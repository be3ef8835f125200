// The hub wing, of `kerb up --hub` and `kerb run --wings hub`: the centre of many sites. Loaded only when asked for.
import { Misconfigured } from "../../hub/placement/model.ts";
import type { CelMatch } from "../../hub/placement/model.ts";
import { startReach } from "../../hub/reach/publish.ts";
import type { TakeBackup } from "../../hub/operations/site-backup.ts";
import { startHub } from "../../hub/start.ts";
import { readCertificateRequest } from "../../server/auth/certificate-request.ts";
import { loadCel } from "../../server/cel/load.ts";
import type { ControlParts } from "./acting-parts.ts";
import type { KeptPort } from "../site/kept-port.ts";
import { makeServing } from "../site/serving.ts";

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

export async function controlHub(
  { plane, informers, clock, random, log, scope }: ControlParts,
  takeBackup?: TakeBackup,
) {
  return startHub({
    cel: await loadCelMatch(),
    client: plane.client("system:kerb-hub"),
    discover: plane.discover,
    log: log.with({ room: "hub" }),
    subjectOf,
    ...(takeBackup && { takeBackup }),
    ...{ informers, clock, random, scope },
  });
}

/** Lets people reach the hub's sites by its API. */
export async function openReach(
  { plane, clock, random, log, scope }: ControlParts,
  { host, port }: { host: string; port: KeptPort },
) {
  await startReach({
    ...{ host, port },
    client: plane.client("system:kerb-hub"),
    makeServing: makeServing(clock, random),
    log: log.with({ room: "reach" }),
    ...{ clock, scope },
  });
}
