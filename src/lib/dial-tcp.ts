// A TCP connection as a promise.
import { connect } from "node:net";
import type { Duplex } from "node:stream";

/** Time for the handshake with an address, as Go's dialer in upstream. */
const connectMsMax = 30_000;

/** Resolves once connected; rejects with the system's error. */
export function dialTcp(host: string, port: number): Promise<Duplex> {
  return new Promise((resolve, reject) => {
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
