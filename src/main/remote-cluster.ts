// A cluster elsewhere as the wings see one: clients, what it serves, and how others are taken to its API server.
import { isIP } from "node:net";
import { remoteDiscovery } from "../client/discovery.ts";
import { httpsClient } from "../client/https.ts";
import type { HttpsClient } from "../client/https.ts";
import type { Connection } from "../client/kubeconfig.ts";
import type { DiscoveredResource } from "../controllers/runtime.ts";
import type { SiteApi } from "../hub/member/reach.ts";
import type { Clock } from "../lib/clock.ts";
import { dialTcp } from "../lib/dial-tcp.ts";
import type { Scope } from "../lib/scope.ts";

const httpsPort = 443;

export interface RemoteCluster {
  /** `name` tells the clients apart in the cluster's logs; all are who the kubeconfig says. */
  client(name: string): HttpsClient;
  discover(): Promise<DiscoveredResource[]>;
  /** Of Kubernetes, as it says itself. */
  version(): Promise<string>;
  api: SiteApi;
}

/** Requests of others, with the identity of `connection`. */
function apiOf({ server, ca, cert, key, token, serverName }: Connection): SiteApi {
  const { hostname, host, port, pathname } = new URL(server);
  const bare = hostname.replace(/^\[(.*)\]$/, "$1");
  const tls = {
    ...(ca && { ca }),
    ...(cert && { cert }),
    ...(key && { key }),
    host: bare,
    ...(isIP(serverName ?? bare) === 0 && { servername: serverName ?? bare }),
  };
  return () => ({
    host,
    tls,
    base: pathname.replace(/\/$/, ""),
    dial: () => dialTcp(bare, Number(port) || httpsPort),
    ...(token && { headers: { authorization: `Bearer ${token()}` } }),
  });
}

export function openRemoteCluster(
  connection: Connection,
  { clock, scope }: { clock: Clock; scope: Scope },
): RemoteCluster {
  const client = (name: string) => {
    const made = httpsClient(connection, { agent: name, clock });
    scope.defer(() => made.close());
    return made;
  };
  const own = client("kerb");
  return {
    client,
    discover: remoteDiscovery(own, clock),
    version: async () => (await own.read<{ gitVersion: string }>("/version")).gitVersion,
    api: apiOf(connection),
  };
}
