// The HTTPS listener: HTTP/2 and HTTP/1.1 on one port. It authenticates, makes an ApiRequest of what
// came in and writes the ApiResponse out; what it means is decided behind `server.handle`.
//
// HTTP/2 streams are served directly, without Node's compatibility layer, which costs a third of a small
// request. Its 'stream' listener is taken off again; 'request' then only fires for HTTP/1.1.
import http2 from "node:http2";
import type { IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Authenticate, Credentials } from "../policy.ts";
import type { ApiServer } from "../server.ts";
import { exchange, type ExchangeContext, type Incoming } from "./exchange.ts";
import * as limits from "./limits.ts";
import { RequestBodies } from "./request-bodies.ts";
import { http1Sink, http2Sink } from "./sinks.ts";
import { refuseUpgrade, upgradeRequest } from "./upgrade.ts";

/** PEM texts. `clientCa` is the authority of client certificates. */
export interface TlsMaterial {
  cert: string;
  key: string;
  clientCa: string;
}

export interface ListenOptions {
  host?: string;
  /** 0 for any free port. */
  port: number;
  tls: TlsMaterial;
  authenticate: Authenticate;
  clock: Clock;
  log: Log;
}

export interface Listener {
  readonly port: number;
  /** Takes a renewed certificate into use for new connections. */
  setTls(tls: TlsMaterial): void;
  /** Says GOAWAY, lets open requests end for a moment, and closes. */
  close(): Promise<void>;
}

const secureOptions = ({ cert, key, clientCa }: TlsMaterial) => ({
  cert,
  key,
  ca: clientCa,
  minVersion: "TLSv1.2" as const,
});

/** What the connection says of its caller; the same for all its requests. */
function certificateOf(socket: TLSSocket): Credentials["certificate"] {
  const peer = socket.getPeerCertificate?.(false);
  if (!peer || Object.keys(peer).length === 0) return undefined;
  return { peer, authorized: socket.authorized };
}

const certificates = new WeakMap<object, { certificate: Credentials["certificate"] }>();

function knownCertificate(socket: TLSSocket): Credentials["certificate"] {
  let known = certificates.get(socket);
  if (!known) certificates.set(socket, (known = { certificate: certificateOf(socket) }));
  return known.certificate;
}

function flatHeaders(headers: NodeJS.Dict<string | string[]>): Incoming["headers"] {
  const flat: Incoming["headers"] = {};
  for (const name in headers) {
    const value = headers[name];
    flat[name] = Array.isArray(value) ? value.join(", ") : value;
  }
  return flat;
}

function fromStream(stream: http2.ServerHttp2Stream, headers: http2.IncomingHttpHeaders): Incoming {
  const socket = certificateSocket(stream.session);
  return {
    method: headers[":method"] ?? "GET",
    url: headers[":path"] ?? "/",
    headers: flatHeaders(headers),
    body: stream,
    certificate: socket && knownCertificate(socket),
    remoteAddress: socket?.remoteAddress,
    hasBody: !stream.endAfterHeaders,
    local: isLoopback(socket?.remoteAddress),
  };
}

/** Sessions proxy their socket; the certificate is read from the first one seen. */
const sessionSockets = new WeakMap<http2.Http2Session, TLSSocket>();
const certificateSocket = (session: http2.Http2Session | undefined) =>
  session && sessionSockets.get(session);

const isLoopback = (address: string | undefined) =>
  address !== undefined &&
  (address.startsWith("127.") || address === "::1" || address.startsWith("::ffff:127."));

const announcesBody = ({ headers }: IncomingMessage) =>
  Number(headers["content-length"] ?? 0) > 0 || headers["transfer-encoding"] !== undefined;

const fromMessage = (message: IncomingMessage): Incoming => ({
  method: message.method ?? "GET",
  url: message.url ?? "/",
  headers: flatHeaders(message.headers),
  body: message,
  certificate: knownCertificate(message.socket as TLSSocket),
  remoteAddress: message.socket.remoteAddress,
  hasBody: announcesBody(message),
  local: isLoopback(message.socket.remoteAddress),
});

/** The open connections, so that they can be ended: when nothing happens on them, or all at once. */
class Connections {
  readonly #clock: Clock;
  /** Sessions with the number of their open streams and since when that is zero. */
  readonly #sessions = new Map<http2.Http2Session, { streams: number; idleSince: number }>();
  readonly #sockets = new Set<Duplex>();

  constructor(listener: http2.Http2SecureServer, clock: Clock, log: Log) {
    this.#clock = clock;
    const failed = (error: Error) => log.debug("connection failed", { error: String(error) });
    listener.on("session", (session: http2.ServerHttp2Session) => {
      this.#sessions.set(session, { streams: 0, idleSince: clock.monotonic() });
      session.on("close", () => this.#sessions.delete(session));
      session.on("error", failed);
    });
    listener.on("secureConnection", (socket: TLSSocket) => {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on("error", failed);
      socket.on("close", () => this.#sockets.delete(socket));
    });
    listener.on("tlsClientError", failed);
    const cancel = clock.every(limits.idleMsMax / 2, () => this.#closeIdle());
    listener.on("close", cancel);
  }

  /** Counts a stream as long as it is open; a session without streams idles out. */
  count(stream: http2.ServerHttp2Stream) {
    const session = stream.session && this.#sessions.get(stream.session);
    if (!session) return;
    session.streams++;
    stream.on("close", () => {
      session.streams--;
      session.idleSince = this.#clock.monotonic();
    });
  }

  #closeIdle() {
    const oldest = this.#clock.monotonic() - limits.idleMsMax;
    for (const [session, { streams, idleSince }] of this.#sessions) {
      if (streams === 0 && idleSince < oldest) session.close();
    }
  }

  /** Says GOAWAY: streams that are open may end, new ones are refused. */
  goAway() {
    for (const session of this.#sessions.keys()) session.close();
  }

  destroy() {
    for (const session of this.#sessions.keys()) session.destroy();
    for (const socket of this.#sockets) socket.destroy();
  }
}

const createListener = (tls: TlsMaterial) =>
  http2.createSecureServer({
    ...secureOptions(tls),
    allowHTTP1: true,
    requestCert: true,
    rejectUnauthorized: false,
    handshakeTimeout: limits.handshakeMsMax,
    maxHeaderSize: limits.headerBytesMax,
    requestTimeout: limits.requestMsMax,
    settings: {
      maxConcurrentStreams: limits.streamsMax,
      initialWindowSize: limits.streamWindowBytes,
      maxHeaderListSize: limits.headerBytesMax,
    },
  } as http2.SecureServerOptions);

/** Leads what comes in to the server. */
function serve(
  listener: http2.Http2SecureServer,
  context: ExchangeContext,
  connections: Connections,
) {
  listener.on("request", (message: IncomingMessage, response: ServerResponse) => {
    void exchange(context, fromMessage(message), http1Sink(response));
  });
  listener.removeAllListeners("stream");
  listener.on("stream", (stream: http2.ServerHttp2Stream, headers) => {
    const { session } = stream;
    if (session && !sessionSockets.has(session)) {
      sessionSockets.set(session, session.socket as TLSSocket);
    }
    connections.count(stream);
    void exchange(context, fromStream(stream, headers), http2Sink(stream));
  });
  listener.on("upgrade", (message: IncomingMessage, socket: Duplex, head: Buffer) => {
    upgradeRequest(context, fromMessage(message), { message, socket, head }).catch((error) =>
      refuseUpgrade(socket, error, context.log),
    );
  });
}

/** Starts to listen; resolves once connections are taken. */
export async function listen(server: ApiServer, options: ListenOptions): Promise<Listener> {
  const listener = createListener(options.tls);
  const connections = new Connections(listener, options.clock, options.log);
  const bodies = new RequestBodies(options.clock);
  serve(listener, { server, bodies, ...options }, connections);
  await new Promise<void>((resolve, reject) => {
    listener.once("error", reject);
    listener.listen(options.port, options.host ?? "127.0.0.1", () => {
      listener.off("error", reject);
      resolve();
    });
  });
  return {
    port: (listener.address() as AddressInfo).port,
    setTls: (tls) => listener.setSecureContext(secureOptions(tls)),
    async close() {
      const closed = new Promise<void>((resolve) => listener.close(() => resolve()));
      connections.goAway();
      const cancel = options.clock.after(limits.closeMsMax, () => connections.destroy());
      // Idle HTTP/1.1 connections hold the server open; those in use end with their request.
      (listener as any).closeIdleConnections?.();
      await closed;
      cancel();
    },
  };
}
