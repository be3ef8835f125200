// What an extension API server asks of those who come, and how it says no.
import type { ServerResponse } from "node:http";
import type { Duplex } from "node:stream";
import type { TLSSocket } from "node:tls";
import { StatusError } from "./status-error.ts";

/** Who may say who a caller is. */
export interface FrontProxy {
  /** PEM. */
  ca: string;
  /** Common names; none means any that `ca` signed. */
  names: string[];
}

const isFrontProxy = (socket: TLSSocket, { names }: FrontProxy) =>
  socket.authorized &&
  (names.length === 0 || names.includes(String(socket.getPeerCertificate().subject?.CN)));

/** Throws for everybody else. */
export function requireFrontProxy(socket: TLSSocket, proxy: FrontProxy) {
  if (isFrontProxy(socket, proxy)) return;
  throw new StatusError("Unauthorized", "only the API server's front proxy asks here");
}

const asStatus = (error: unknown) =>
  error instanceof StatusError
    ? error
    : new StatusError("InternalError", error instanceof Error ? error.message : String(error));

export function answerStatus(response: ServerResponse, error: unknown) {
  if (response.headersSent) return response.destroy();
  const status = asStatus(error);
  response.writeHead(status.code, { "content-type": "application/json" });
  response.end(JSON.stringify(status.toStatus()));
}

/** The answer to a request that would have been upgraded. */
export function endWithStatus(socket: Duplex, error: unknown) {
  const status = asStatus(error);
  const body = JSON.stringify(status.toStatus());
  socket.end(
    `HTTP/1.1 ${status.code} ${status.reason}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
