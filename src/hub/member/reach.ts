// The site's end of the way from its hub. Whoever comes through the tunnel is impersonated under a name of the
// hub's, so that the site's own RBAC says what a hub's people may do here.
import { createServer } from "node:http";
import type { IncomingMessage } from "node:http";
import { performServerHandshake } from "node:http2";
import type { ServerHttp2Session } from "node:http2";
import type { Duplex } from "node:stream";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import type { Connection } from "../../client/kubeconfig.ts";
import type { Clock } from "../../lib/clock.ts";
import { answerStatus, endWithStatus } from "../../lib/front-proxy.ts";
import type { Log } from "../../lib/log.ts";
import type { ForwardTarget } from "../../lib/proxy/forward.ts";
import type { Scope } from "../../lib/scope.ts";
import { isStatus, StatusError } from "../../lib/status-error.ts";
import { keepTunnel } from "../../lib/tunnel/keep.ts";
import { impersonation } from "../reach/identity.ts";
import { connectPath, hubPrefix, reachGroup, reachVersion, tunnelPath } from "../reach/protocol.ts";
import { relayRequest, relayUpgrade } from "../reach/relay.ts";
import type { Relay } from "../reach/relay.ts";

/** The site's own API server, with an identity that may impersonate. */
export type SiteApi = () => ForwardTarget & {
  host: string;
  headers?: Record<string, string>;
  /** What its URL holds before `/api`. */
  base?: string;
};

/** Whether a hub has ways to its sites: Open Cluster Management's own has none. */
export async function offersReach(hub: Client, cluster: string): Promise<boolean> {
  const group = { group: reachGroup, version: reachVersion, resource: "managedclusters" };
  try {
    await hub.get({ ...group, name: cluster, subresource: "tunnel" });
    return true;
  } catch (error) {
    // It is there for those who upgrade the connection.
    if (isStatus(error, "BadRequest")) return true;
    if (isStatus(error, "NotFound", "Forbidden", "ServiceUnavailable")) return false;
    throw error;
  }
}

/** Nobody comes from a hub that let the site go. */
export async function dropAdministrators(site: Client) {
  const { name } = administrators.metadata;
  await site.delete({ ...bindings, name }).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
  });
}

/** Links to a hub are thin, and routers keep a connection for minutes. */
const pingSeconds = 60;

const bindings = resource("rbac.authorization.k8s.io/v1", "clusterrolebindings");

/** A hub's administrators can bring any object here with a work; reaching it, they are no less. */
const administrators = {
  apiVersion: "rbac.authorization.k8s.io/v1",
  kind: "ClusterRoleBinding",
  metadata: { name: "kerb:hub-admins" },
  roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "cluster-admin" },
  subjects: [
    { apiGroup: "rbac.authorization.k8s.io", kind: "Group", name: `${hubPrefix}system:masters` },
  ],
};

async function ensureAdministrators(site: Client) {
  await site.create(bindings, administrators).catch((error: unknown) => {
    if (!isStatus(error, "AlreadyExists")) throw error;
  });
}

function relayOf(request: IncomingMessage, api: SiteApi): Relay {
  const caller = impersonation(request.headersDistinct);
  if (!caller) throw new StatusError("Unauthorized", "the hub does not say who asks");
  const { headers, base = "", ...target } = api();
  return { ...target, path: base + (request.url ?? "/"), headers: { ...headers, ...caller } };
}

/** Speaks HTTP/1.1 on the connections that come through the tunnel; listens nowhere. */
function agentServer(api: SiteApi) {
  const server = createServer((request, response) => {
    const run = async () => relayRequest(request, response, relayOf(request, api));
    run().catch((error: unknown) => answerStatus(response, error));
  });
  server.on("upgrade", (request, socket, head) => {
    socket.on("error", () => {});
    const run = async () => relayUpgrade(request, { socket, head }, relayOf(request, api));
    run().catch((error: unknown) => endWithStatus(socket, error));
  });
  server.requestTimeout = 0;
  return server;
}

function serve(socket: Duplex, api: SiteApi): ServerHttp2Session {
  const server = agentServer(api);
  const session = performServerHandshake(socket);
  session.on("error", () => session.destroy());
  session.on("stream", (stream, headers) => {
    stream.on("error", () => {});
    const known = headers[":path"] === connectPath;
    stream.respond({ ":status": known ? 200 : 404 }, { endStream: !known });
    if (known) server.emit("connection", stream);
  });
  return session;
}

export interface MemberReachOptions {
  site: Client;
  api: SiteApi;
  connection: Connection;
  cluster: string;
  clock: Clock;
  log: Log;
  scope: Scope;
}

export async function startMemberReach(options: MemberReachOptions) {
  const { site, api, connection, cluster, clock, log, scope } = options;
  await ensureAdministrators(site);
  const { server, ca, cert, key, serverName } = connection;
  keepTunnel({
    url: new URL(tunnelPath(cluster), server),
    identity: () => ({
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
      ...(serverName && { servername: serverName }),
    }),
    pingSeconds,
    serve: (socket) => serve(socket, api),
    ...{ clock, log, scope },
  });
}
