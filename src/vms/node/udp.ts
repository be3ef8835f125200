// A socket that sends datagrams to one port and hears its answers, as a stream of framed datagrams.
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import { Duplex } from "node:stream";
import { framed, Unframed } from "../datagrams.ts";

/** What nobody reads yet beyond this is lost, as datagrams are. */
const waitingBytesMax = 1024 * 1024;

export async function openUdp(host: string, port: number): Promise<Duplex> {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  const unframed = new Unframed();
  // The kernel's word that nobody listened to the one before comes instead of sending this one. Somebody may by now.
  const send = (datagram: Buffer) =>
    socket.send(datagram, (error) => {
      if (error) socket.send(datagram, () => {});
    });
  const stream = new Duplex({
    read() {},
    write(chunk: Buffer, _, done) {
      for (const datagram of unframed.take(chunk)) send(datagram);
      done();
    },
    destroy(error, done) {
      socket.close(() => done(error));
    },
  });
  socket.on("message", (datagram) => {
    if (stream.readableLength < waitingBytesMax) stream.push(framed(datagram));
  });
  await new Promise<void>((resolve, reject) => {
    socket.once("error", reject);
    socket.connect(port, host, () => resolve());
  });
  socket.removeAllListeners("error");
  socket.on("error", () => {});
  stream.once("end", () => stream.destroy());
  stream.once("finish", () => stream.destroy());
  return stream;
}
