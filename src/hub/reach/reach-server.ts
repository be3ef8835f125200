// The extension API server through which people reach sites: the hub's own API server has judged every request
// and says, with its front proxy's certificate, who asks. It listens where that one reaches it.
import type { IncomingMessage } from "node:http";
import { createServer } from "node:https";
import type { ClientHttp2Session } from "node:http2";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../lib/clock.ts";
import { answerStatus, endWithStatus, requireFrontProxy } from "../../lib/front-proxy.ts";
import type { FrontProxy } from "../../lib/front-proxy.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { badRequest, StatusError } from "../../lib/status-error.ts";
import { tunnelProtocol } from "../../lib/tunnel/protocol.ts";
import { TunnelSessions } from "../../lib/tunnel/sessions.ts";
import { callerHeaders } from "./identity.ts";
import { connectPath, isDiscovery, parseReach, resourceList } from "./protocol.ts";
import type { Reach } from "./protocol.ts";
import { relayRequest, relayUpgrade } from "./relay.ts";
import type { Relay } from "./relay.ts";

export interface ReachServerOptions {
  /** PEM texts of the certificate it shows. */
  tls: { cert: string; key: string };
  frontProxy: FrontProxy;
  /** The address that it listens on. */
  host: string;
  /** 0: any that is free, as when the one that is asked for is not. */
  port: number;
  clock: Clock;
  log: Log;
  scope: Scope;
}

/** A connection to the site's agent. */
async function dial(session: ClientHttp2Session | undefined, cluster: string): Promise<Duplex> {
  if (!session || session.destroyed || session.closed) {
    throw new StatusError("ServiceUnavailable", `site ${cluster} is not connected to its hub`);
  }
  const stream = session.request({ ":method": "POST", ":path": connectPath });
  stream.on("error", () => {});
  return stream;
}

class ReachServer {
  readonly #options: ReachServerOptions;
  readonly #sessions: TunnelSessions;

  constructor(options: ReachServerOptions) {
    this.#options = options;
    this.#sessions = new TunnelSessions(options);
    options.scope.defer(() => this.#sessions.close());
  }

  #asked(request: IncomingMessage): Reach {
    requireFrontProxy(request.socket as TLSSocket, this.#options.frontProxy);
    const asked = parseReach(request.url ?? "/");
    if (!asked)
      throw new StatusError("NotFound", "the server could not find the requested resource");
    return asked;
  }

  #relay({ cluster, path }: Reach, request: IncomingMessage): Relay {
    const session = this.#sessions.get(cluster);
    if (!session) {
      throw new StatusError("ServiceUnavailable", `site ${cluster} is not connected to its hub`);
    }
    const headers = callerHeaders(request.headersDistinct);
    return { host: cluster, path, headers, dial: () => dial(session, cluster) };
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer) {
    const asked = this.#asked(request);
    if (asked.via === "proxy") {
      return relayUpgrade(request, { socket, head }, this.#relay(asked, request));
    }
    if (request.headers.upgrade !== tunnelProtocol) {
      throw badRequest(`a tunnel is opened with Upgrade: ${tunnelProtocol}`);
    }
    if (head.length > 0) socket.unshift(head);
    await this.#sessions.open(asked.cluster, socket, request.headers);
  }

  /** Resolves with the port. */
  async listen(): Promise<number> {
    const { tls, frontProxy, host, port, log, scope } = this.#options;
    const server = createServer(
      { ...tls, ca: frontProxy.ca, requestCert: true, rejectUnauthorized: false },
      (request, response) => {
        if (isDiscovery(request.url ?? "/")) {
          response.setHeader("content-type", "application/json");
          return response.end(JSON.stringify(resourceList));
        }
        const run = async () => {
          const asked = this.#asked(request);
          if (asked.via === "tunnel") throw badRequest("Upgrade request required");
          await relayRequest(request, response, this.#relay(asked, request));
        };
        run().catch((error: unknown) => answerStatus(response, error));
      },
    );
    server.on("upgrade", (request, socket, head) => {
      socket.on("error", () => {});
      this.#upgrade(request, socket, head).catch((error: unknown) => endWithStatus(socket, error));
    });
    server.requestTimeout = 0;
    server.listen(port, host);
    await once(server, "listening").catch(async (error: NodeJS.ErrnoException) => {
      if (error.code !== "EADDRINUSE" || port === 0) throw error;
      log.warn("the port of the way to sites is taken; another one is used", { port });
      server.listen(0, host);
      await once(server, "listening");
    });
    scope.defer(() => {
      server.closeAllConnections();
      server.close();
    });
    return (server.address() as AddressInfo).port;
  }
}

/** Listens until the scope ends; resolves with the port. */
export const startReachServer = (options: ReachServerOptions) => new ReachServer(options).listen();
