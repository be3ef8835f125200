// A control plane with everything that acts on it, in this process, and two nodes without machines.
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Informers } from "../../src/client/informers.ts";
import { systemClock as clock } from "../../src/lib/clock.ts";
import { systemRandom as random } from "../../src/lib/random.ts";
import { Scope } from "../../src/lib/scope.ts";
import { ensureApiServerObjects } from "../../src/main/site/cluster-objects.ts";
import { kubernetesVersion } from "../../src/main/config.ts";
import { openControlPlane } from "../../src/main/site/control-plane.ts";
import { startControl } from "../../src/main/site/control.ts";
import { pinoLog } from "../../src/main/pino-log.ts";
import { addressesOf } from "../../src/main/site/site-settings.ts";
import { freePort } from "../support/site.ts";
import { startNodes } from "./nodes.ts";

const names = ["node-a", "node-b"];

/** Resolves with the administrator's kubeconfig and a function that stops and removes everything. */
export async function startCluster() {
  const scope = new Scope();
  const directory = mkdtempSync(join(tmpdir(), "kerb-conformance-"));
  const addresses = addressesOf(0);
  const log = pinoLog("warn");
  const port = await freePort();
  const plane = await openControlPlane({
    directory,
    name: "conformance",
    port,
    addresses,
    ownNode: () => undefined,
    clock,
    random,
    log,
    scope,
  });
  await plane.listen(["127.0.0.1"]);
  const client = plane.client("system:apiserver");
  const informers = new Informers({ client, clock, log, scope });
  await startControl({ plane, informers, addresses, clock, random, log, scope });
  await ensureApiServerObjects(client, addresses, port);
  await startNodes(names, { client, informers, clock, scope, version: kubernetesVersion });
  const stop = async () => {
    await scope.close();
    rmSync(directory, { recursive: true, force: true });
  };
  return { kubeconfig: plane.kubeconfig, stop };
}
