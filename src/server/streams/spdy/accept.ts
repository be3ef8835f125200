// `Upgrade: SPDY/3.1`, as clients before WebSockets came ask for it.
import type { Duplex } from "node:stream";
import { badRequest } from "../../../lib/status-error.ts";
import type { UpgradeSocket } from "../../upgrade-socket.ts";

const protocolHeader = "x-stream-protocol-version";

export const isSpdy = ({ message }: UpgradeSocket) =>
  message.headers.upgrade?.toLowerCase() === "spdy/3.1";

/** Answers the upgrade, choosing the first protocol of ours that the client offers. */
export function acceptSpdy(
  { message, socket, head }: UpgradeSocket,
  protocols: string[],
): { socket: Duplex; protocol: string } {
  const header = message.headers[protocolHeader];
  const offered = (Array.isArray(header) ? header : [header ?? ""])
    .flatMap((value) => value.split(","))
    .map((value) => value.trim());
  const chosen = protocols.find((protocol) => offered.includes(protocol));
  if (!chosen) {
    throw badRequest(
      `unable to upgrade: none of the protocols ${offered.join(", ")} is spoken here, ` +
        `only ${protocols.join(", ")}`,
    );
  }
  socket.write(
    "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: SPDY/3.1\r\n" +
      `X-Stream-Protocol-Version: ${chosen}\r\n\r\n`,
  );
  if (head.length > 0) socket.unshift(head);
  return { socket, protocol: chosen };
}
