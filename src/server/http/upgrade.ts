// HTTP/1.1 Upgrade requests: authenticated like any other, then handed over with their socket.
import type { Duplex } from "node:stream";
import type { Log } from "../../lib/log.ts";
import type { UpgradeSocket } from "../upgrade-socket.ts";
import {
  apiRequest,
  asStatusError,
  Caller,
  type ExchangeContext,
  type Incoming,
} from "./exchange.ts";

import { tokenInProtocols } from "./websocket-token.ts";

export async function upgradeRequest(
  context: ExchangeContext,
  incoming: Incoming,
  socket: UpgradeSocket,
) {
  const protocols = socket.message.headers["sec-websocket-protocol"];
  const sent = incoming.headers["authorization"] ? undefined : tokenInProtocols(protocols);
  if (sent) socket.message.headers["sec-websocket-protocol"] = sent.protocols;
  const headers = sent
    ? { ...incoming.headers, authorization: `Bearer ${sent.token}` }
    : incoming.headers;
  const caller = new Caller();
  socket.socket.on("close", () => caller.leave());
  socket.socket.on("error", () => {});
  const request = await apiRequest(context, { ...incoming, headers, method: "GET" }, caller);
  await context.server.upgrade({ ...request, method: incoming.method }, socket);
}

/** Answers a failed upgrade with a Status, on a socket that no handler has written to. */
export function refuseUpgrade(socket: Duplex, error: unknown, log: Log) {
  const status = asStatusError(error, log);
  if (socket.destroyed) return;
  const body = JSON.stringify(status.toStatus());
  socket.end(
    `HTTP/1.1 ${status.code} ${status.reason}\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`,
  );
}
