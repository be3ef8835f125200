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
  clock: Clock;
  log: Log;
  scope: Scope;
}

export async function startReach({ client, makeServing, host, clock, log, scope }: ReachOptions) {
  const frontProxy = await frontProxyOf(client);
  if (!frontProxy) {
    const why = "its API server has no front proxy (--requestheader-client-ca-file)";
    return log.warn("nobody reaches sites through this cluster", { why });
  }
  const { ca, ...tls } = makeServing(servedName(api));
  const port = await startReachServer({ tls, frontProxy, host, clock, log, scope });
  await publishApi(client, api, { host, port, ca });
}
