// A port that stays the same from start to start, as far as others leave it.
import { once } from "node:events";
import type { AddressInfo, Server } from "node:net";

/** Resolves with the port: the one that is wanted, or any where somebody else has taken it. 0 for any. */
export async function listenAt(server: Server, host: string, wanted: number): Promise<number> {
  try {
    server.listen(wanted, host);
    await once(server, "listening");
  } catch (error) {
    if (wanted === 0 || (error as NodeJS.ErrnoException).code !== "EADDRINUSE") throw error;
    server.listen(0, host);
    await once(server, "listening");
  }
  return (server.address() as AddressInfo).port;
}
