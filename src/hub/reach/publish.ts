// Makes the way to sites part of the hub's API.
import type { Client } from "../../client/client.ts";
import { frontProxyOf, publishApi, servedName } from "../../client/extension-api.ts";
import type { ExtensionApi } from "../../client/extension-api.ts";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { reachGroup, reachVersion } from "./protocol.ts";
import { startReachServer } from "./reach-server.ts";

const api: ExtensionApi = {
  name: "kerb-reach",
  groupVersions: [`${reachGroup}/${reachVersion}`],
  fieldManager: "kerb-hub",
};

export interface ReachOptions {
  client: Client;
  /** A certificate for `name` with the authority that signed it: PEM texts. */
  makeServing: (name: string) => { ca: string; cert: string; key: string };
  /** Where the API server reaches this process. */
  host: string;
  /** There, the port of the last time. */
  port: { read: () => number | undefined; keep: (port: number) => void };
  clock: Clock;
  log: Log;
  scope: Scope;
}

export async function startReach(options: ReachOptions) {
  const { client, makeServing, host, port: kept, clock, log, scope } = options;
  const frontProxy = await frontProxyOf(client);
  if (!frontProxy) {
    const why = "its API server has no front proxy (--requestheader-client-ca-file)";
    return log.warn("nobody reaches sites through this cluster", { why });
  }
  const { ca, ...tls } = makeServing(servedName(api));
  const own = { tls, frontProxy, host, port: kept.read() ?? 0 };
  const port = await startReachServer({ ...own, clock, log, scope });
  kept.keep(port);
  await publishApi(client, api, { host, port, ca });
}
