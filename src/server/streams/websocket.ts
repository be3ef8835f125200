// Takes a WebSocket handshake (RFC 6455) over from the listener, choosing the first protocol of ours that
// the client offers.
import { type WebSocket, WebSocketServer } from "ws";
import { badRequest } from "../../lib/status-error.ts";
import type { UpgradeSocket } from "../upgrade-socket.ts";

/** Largest message a client may send. */
const messageBytesMax = 1024 * 1024;

/** The protocols a client offers, in its order. */
export const offeredProtocols = ({ message }: UpgradeSocket): string[] =>
  (message.headers["sec-websocket-protocol"] ?? "")
    .split(",")
    .map((protocol) => protocol.trim())
    .filter((protocol) => protocol !== "");

export const isWebSocket = ({ message }: UpgradeSocket) =>
  message.headers.upgrade?.toLowerCase() === "websocket";

export interface AcceptedWebSocket {
  /** Paused, so that nothing arrives before somebody listens. */
  socket: WebSocket;
  /** "" for clients that offer none. */
  protocol: string;
}

/** Sends every message, as fast as the client takes them, and closes. Never throws. */
export async function sendAll(socket: WebSocket, messages: AsyncIterable<string | Uint8Array>) {
  socket.on("error", () => {});
  socket.resume();
  try {
    for await (const message of messages) {
      await new Promise<void>((resolve, reject) => {
        socket.send(message, (error) => (error ? reject(error) : resolve()));
      });
    }
    socket.close(1000);
  } catch {
    socket.terminate();
  }
}

/**
 * Answers the handshake with the first of `protocols`, the best first, that the client offers; without
 * `protocols`, with the client's own first. Throws BadRequest when none fits.
 */
export function acceptWebSocket(
  upgrade: UpgradeSocket,
  protocols = offeredProtocols(upgrade),
): Promise<AcceptedWebSocket> {
  const offered = offeredProtocols(upgrade);
  const protocol = protocols.find((one) => offered.includes(one)) ?? "";
  if (!protocol && offered.length > 0) {
    throw badRequest(
      `unable to upgrade: none of the WebSocket protocols ${offered.join(", ")} is spoken here, ` +
        `only ${protocols.join(", ")}`,
    );
  }
  const server = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: messageBytesMax,
  });
  const { message, socket, head } = upgrade;
  // The library refuses names with a slash, as port-forward's has one, so the choice stays here.
  delete message.headers["sec-websocket-protocol"];
  server.on("headers", (headers) => {
    if (protocol) headers.push(`Sec-WebSocket-Protocol: ${protocol}`);
  });
  return new Promise((resolve, reject) => {
    server.once("wsClientError", (error: Error) => reject(badRequest(error.message)));
    server.handleUpgrade(message, socket, head, (accepted) => {
      accepted.pause();
      resolve({ socket: accepted, protocol });
    });
  });
}
