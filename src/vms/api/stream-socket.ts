// A stream of a machine as a WebSocket: raw bytes in binary messages, both ways. Of datagrams, one is one message.
import type { IncomingMessage } from "node:http";
import { pipeline } from "node:stream";
import type { Duplex } from "node:stream";
import { createWebSocketStream, WebSocketServer } from "ws";
import type { WebSocket } from "ws";
import type { Clock } from "../../lib/clock.ts";

const protocol = "plain.kubevirt.io";
/** Balancers on the way end what is silent for longer. */
const pingMs = 5000;
const messageBytesMax = 1024 * 1024;

const sockets = new WebSocketServer({
  noServer: true,
  perMessageDeflate: false,
  maxPayload: messageBytesMax,
  handleProtocols: (offered) => (offered.has(protocol) ? protocol : false),
});

function ping(socket: WebSocket, clock: Clock) {
  const cancel = clock.every(pingMs, () => {
    if (socket.readyState === socket.OPEN) socket.ping();
  });
  socket.once("close", cancel);
}

/** Joins the caller with `stream`; what ends on one side ends on the other. */
export function joinSocket(
  request: IncomingMessage,
  { socket, head }: { socket: Duplex; head: Buffer },
  stream: Duplex,
  clock: Clock,
) {
  sockets.handleUpgrade(request, socket, head, (accepted) => {
    ping(accepted, clock);
    const caller = createWebSocketStream(accepted, { readableObjectMode: true });
    stream.on("error", () => {});
    pipeline(caller, stream, () => {});
    pipeline(stream, caller, () => accepted.close());
  });
}
