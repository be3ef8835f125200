// A TCP connection as a promise. Its errors are in the words of Go's dialer, which people search for.
import { connect, isIPv6 } from "node:net";
import type { Duplex } from "node:stream";
import { getSystemErrorMessage } from "node:util";

/** Time for the handshake with an address, as Go's dialer in upstream. */
const connectMsMax = 30_000;

function why(error: NodeJS.ErrnoException, host: string): string {
  if (error.code === "ENOTFOUND") return `lookup ${host}: no such host`;
  if (error.errno === undefined) return error.message;
  return `connect: ${getSystemErrorMessage(error.errno)}`;
}

/** Resolves once connected. */
export function dialTcp(host: string, port: number): Promise<Duplex> {
  const address = isIPv6(host) ? `[${host}]:${port}` : `${host}:${port}`;
  return new Promise((resolve, refuse) => {
    const reject = (cause: Error) =>
      refuse(new Error(`dial tcp ${address}: ${why(cause, host)}`, { cause }));
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true });
    socket.setTimeout(connectMsMax, () => socket.destroy(new Error("i/o timeout")));
    socket.once("error", reject);
    socket.once("connect", () => {
      socket.setTimeout(0);
      socket.off("error", reject);
      resolve(socket);
    });
  });
}
