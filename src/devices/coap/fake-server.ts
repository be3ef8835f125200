// A CoAP server for tests: it has the resources that it is given.
import { createSocket } from "node:dgram";
import type { Scope } from "../../lib/scope.ts";

/** Resolves with its port on the loopback. */
export async function startFakeCoapServer(links: string, scope: Scope): Promise<number> {
  const socket = createSocket("udp4");
  socket.on("message", (bytes, from) => {
    const tokenLength = bytes[0]! & 15;
    const token = bytes.subarray(4, 4 + tokenLength);
    // Content-Format is 40.
    const head = Buffer.from([0x50 | tokenLength, 0x45, bytes[2]!, bytes[3]!, ...token]);
    const answer = Buffer.concat([head, Buffer.from([0xc1, 40, 0xff]), Buffer.from(links)]);
    socket.send(answer, from.port, from.address);
  });
  await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
  scope.defer(() => void socket.close());
  return socket.address().port;
}
