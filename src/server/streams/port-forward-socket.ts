// port-forward over a WebSocket as it was before SPDY was tunnelled in one: the ports stand in the query, and
// each has two channels, data and errors, that begin with the port's number in two bytes.
import { once } from "node:events";
import type { Duplex } from "node:stream";
import type { KubeObject } from "../../kinds/object.ts";
import type { NodeConnection } from "../../lib/node-connection.ts";
import { badRequest } from "../../lib/status-error.ts";
import { addressOf } from "./pod-target.ts";
import type { AcceptedWebSocket } from "./websocket.ts";

export const portChannelProtocols = ["v4.channel.k8s.io", "v4.base64.channel.k8s.io"];

/** Ports of one request; a channel's number is one byte. */
const portsMax = 127;

/** The query's ports; throws BadRequest. */
export function portsOf(query: URLSearchParams): number[] {
  const texts = query.getAll("ports").flatMap((list) => list.split(","));
  const ports = texts.map(Number);
  if (ports.length === 0) throw badRequest('query parameter "ports" is required');
  if (ports.length > portsMax)
    throw badRequest(`at most ${portsMax} ports may be forwarded at once`);
  const bad = ports.findIndex((port) => !Number.isInteger(port) || port < 1 || port > 65535);
  if (bad >= 0) throw badRequest(`unable to parse ${JSON.stringify(texts[bad])} as a port`);
  return ports;
}

interface Target {
  node: NodeConnection;
  pod: KubeObject;
  ports: number[];
}

const portBytes = (port: number) => {
  const bytes = Buffer.alloc(2);
  bytes.writeUInt16LE(port);
  return bytes;
};

/** Serves every port until the client leaves or all of them have ended. */
export async function servePortChannels(
  { socket, protocol }: AcceptedWebSocket,
  { node, pod, ports }: Target,
) {
  const base64 = protocol.includes("base64");
  const send = (channel: number, chunk: Uint8Array) =>
    new Promise<void>((resolve, reject) => {
      const message = base64
        ? channel + Buffer.from(chunk).toString("base64")
        : Buffer.concat([Buffer.from([channel]), chunk]);
      socket.send(message, (error) => (error ? reject(error) : resolve()));
    });
  const fail = async (reason: unknown, port: number, channel: number) => {
    const { name, uid } = pod.metadata;
    const said = reason instanceof Error ? reason.message : String(reason);
    const text = `error forwarding port ${port} to pod ${name}, uid ${uid}: ${said}`;
    await send(channel, Buffer.from(text));
  };
  const forward = async (port: number, channel: number, dialled: Promise<Duplex>) => {
    await send(channel, portBytes(port));
    await send(channel + 1, portBytes(port));
    try {
      for await (const chunk of await dialled) await send(channel, chunk);
    } catch (reason) {
      await fail(reason, port, channel + 1);
    }
  };
  /** By data channel; undefined once a port cannot be reached. */
  const targets = new Map<number, Promise<Duplex | undefined>>();
  const served = ports.map((port, i) => {
    const dialled = node.portForward(addressOf(pod), port);
    targets.set(
      i * 2,
      dialled.catch(() => undefined),
    );
    return forward(port, i * 2, dialled).catch(() => {});
  });
  const read = async (data: Buffer) => {
    const channel = base64 ? data[0]! - 0x30 : data[0]!;
    const content = base64 ? Buffer.from(data.subarray(1).toString(), "base64") : data.subarray(1);
    const target = await targets.get(channel);
    if (target && !target.write(content)) await once(target, "drain");
  };
  let reading = Promise.resolve();
  socket.on("error", () => {});
  socket.on("message", (data: Buffer) => {
    socket.pause();
    reading = reading
      .then(() => read(data))
      .catch(() => {})
      .finally(() => socket.resume());
  });
  socket.resume();
  await Promise.race([once(socket, "close"), Promise.all(served)]);
  for (const target of targets.values()) (await target)?.destroy();
  socket.close(1000);
}
