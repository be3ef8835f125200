// Sends a caller's request on to another HTTP server and brings its answer back, bodies as streams both
// ways. Every request has a connection of its own, made by the target's `dial`, unless the target keeps some.
import {
  type ClientRequest,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as httpRequest,
} from "node:http";
import type { Duplex, Readable } from "node:stream";
import { connect as connectTls, type ConnectionOptions } from "node:tls";
import type { KeptConnections } from "./kept-connections.ts";
import { StatusError } from "../status-error.ts";

export interface Forwarded {
  method: string;
  /** Path and query. */
  path: string;
  headers: OutgoingHttpHeaders;
  body: Readable | undefined;
  signal: AbortSignal;
}

export interface ForwardTarget {
  dial: () => Promise<Duplex>;
  /** Absent for plain HTTP. */
  tls?: ConnectionOptions;
  /** For requests that ask for no upgrade. */
  kept?: KeptConnections;
}

export interface Upgraded {
  answer: IncomingMessage;
  socket: Duplex;
  head: Buffer;
}

export const unreachable = (error: unknown) =>
  new StatusError(
    "ServiceUnavailable",
    `error trying to reach service: ${error instanceof Error ? error.message : String(error)}`,
    { cause: error },
  );

function secured(plain: Duplex, options: ConnectionOptions): Promise<Duplex> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ ...options, socket: plain });
    plain.on("error", () => {});
    socket.once("error", (error) => {
      plain.destroy();
      reject(error);
    });
    socket.once("secureConnect", () => resolve(socket));
  });
}

export async function connected({ dial, tls }: ForwardTarget): Promise<Duplex> {
  const plain = await dial();
  return tls ? secured(plain, tls) : plain;
}

/** A body of unknown length goes in chunks; without one nothing is announced. */
function bodyHeaders({ body, headers, method }: Forwarded): OutgoingHttpHeaders {
  if (!body) {
    const { "content-length": _, ...rest } = headers;
    return method === "POST" || method === "PUT" ? { ...rest, "content-length": "0" } : rest;
  }
  return headers["content-length"] ? headers : { ...headers, "transfer-encoding": "chunked" };
}

/**
 * Not a pipeline: a server may answer before it has read everything, and a body that is destroyed then would
 * take the answer's way back with it. What nobody wants any more is read and forgotten.
 */
function upload(body: Readable, sent: ClientRequest) {
  body.pipe(sent);
  sent.on("close", () => {
    body.unpipe(sent);
    body.resume();
  });
}

async function send(target: ForwardTarget, forwarded: Forwarded, extra: OutgoingHttpHeaders) {
  const socket = await connected(target);
  // The request hears of what goes wrong while it lasts; what a closing connection says later is nobody's.
  socket.on("error", () => {});
  const { method, path, signal, body } = forwarded;
  const sent = httpRequest({
    createConnection: () => socket as any,
    method,
    path,
    headers: { ...bodyHeaders(forwarded), ...extra },
    setHost: false,
    signal,
  } as any);
  const release = () => socket.destroy();
  sent.on("close", release);
  return { sent, release, start: () => (body ? upload(body, sent) : sent.end()) };
}

function sendKept(kept: KeptConnections, forwarded: Forwarded) {
  const { method, path, signal, body } = forwarded;
  const headers = bodyHeaders(forwarded);
  const sent = httpRequest({ agent: kept, method, path, headers, setHost: false, signal });
  return { sent, start: () => (body ? upload(body, sent) : sent.end()) };
}

/** The other server closed a connection at the moment that it was to be used again. */
const isStale = (sent: ClientRequest, error: Error) =>
  sent.reusedSocket && (error as NodeJS.ErrnoException).code === "ECONNRESET";

/** The head of the answer, its body still to be read. Throws ServiceUnavailable. */
export async function forward(
  target: ForwardTarget,
  forwarded: Forwarded,
): Promise<IncomingMessage> {
  try {
    const { kept, ...fresh } = target;
    const { sent, start } = kept ? sendKept(kept, forwarded) : await send(target, forwarded, {});
    return await new Promise((resolve, reject) => {
      sent.on("response", resolve);
      sent.on("error", (error) => {
        if (isStale(sent, error) && !forwarded.body) resolve(forward(fresh, forwarded));
        else reject(error);
      });
      start();
    });
  } catch (error) {
    throw unreachable(error);
  }
}

/** Asks for an upgrade: the upgraded connection, or the answer of a server that refuses. */
export async function forwardUpgrade(
  target: ForwardTarget,
  forwarded: Forwarded,
  protocol: string,
): Promise<Upgraded | IncomingMessage> {
  try {
    const extra = { connection: "Upgrade", upgrade: protocol };
    const asking = await send(target, { ...forwarded, body: undefined }, extra);
    const { sent, release, start } = asking;
    return await new Promise((resolve, reject) => {
      sent.on("upgrade", (answer, socket, head) => {
        sent.off("close", release);
        resolve({ answer, socket, head });
      });
      sent.on("response", resolve);
      sent.on("error", reject);
      start();
    });
  } catch (error) {
    throw unreachable(error);
  }
}
