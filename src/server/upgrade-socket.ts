import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";

/** The raw connection of an HTTP/1.1 Upgrade request; the handler owns it from here on. */
export interface UpgradeSocket {
  message: IncomingMessage;
  socket: Duplex;
  /** Bytes read behind the request's head. */
  head: Buffer;
}
