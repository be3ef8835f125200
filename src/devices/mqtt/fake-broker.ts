// An MQTT broker for tests: it keeps what is retained and passes on what is published.
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import { createServer as createTlsServer } from "node:tls";
import type { Scope } from "../../lib/scope.ts";
import { frames } from "../network/tcp.ts";
import {
  bodyOf,
  kinds,
  matchTopic,
  packet,
  packetLength,
  pubackPacket,
  publishPacket,
  readPublication,
} from "./packets.ts";

export interface FakeBroker {
  port: number;
  retained: Map<string, Buffer>;
  publish(topic: string, payload: string): void;
  /** Cuts all connections; the next are let in. */
  cut(): void;
}

interface Session {
  socket: Socket;
  topics: string[];
}

export async function startFakeBroker(
  scope: Scope,
  {
    password,
    identity,
    port = 0,
  }: { password?: string; identity?: { key: string; cert: string }; port?: number } = {},
): Promise<FakeBroker> {
  const sessions = new Set<Session>();
  const retained = new Map<string, Buffer>();
  const send = ({ socket, topics }: Session, topic: string, payload: Buffer, retain: boolean) => {
    const isWanted = topics.some((filter) => matchTopic(filter, topic));
    if (isWanted) socket.write(publishPacket({ topic, payload, retain }));
  };
  const spread = (topic: string, payload: Buffer, retain: boolean) => {
    if (retain && payload.length === 0) retained.delete(topic);
    else if (retain) retained.set(topic, payload);
    for (const session of sessions) send(session, topic, payload, false);
  };
  const hear = (session: Session, bytes: Buffer) => {
    const kind = bytes.readUInt8(0) >> 4;
    const body = bodyOf(bytes);
    if (kind === kinds.connect) {
      const isKnown = password === undefined || body.toString().endsWith(password);
      session.socket.write(packet(kinds.connack, 0, Buffer.from([0, isKnown ? 0 : 4])));
    } else if (kind === kinds.subscribe) {
      for (let at = 2; at < body.length; at += 3 + body.readUInt16BE(at)) {
        session.topics.push(body.toString("utf8", at + 2, at + 2 + body.readUInt16BE(at)));
      }
      session.socket.write(packet(kinds.suback, 0, body.subarray(0, 2), Buffer.from([0])));
      for (const [topic, payload] of retained) send(session, topic, payload, true);
    } else if (kind === kinds.publish) {
      const { topic, payload, retain, id } = readPublication(bytes);
      if (id !== undefined) session.socket.write(pubackPacket(id));
      spread(topic, Buffer.from(payload), retain);
    }
  };
  const talk = (socket: Socket) => {
    const session = { socket, topics: [] };
    sessions.add(session);
    socket.on("error", () => {});
    socket.on("close", () => sessions.delete(session));
    const run = async () => {
      for await (const bytes of frames(socket, packetLength, 2 ** 20)) hear(session, bytes);
    };
    run().catch(() => socket.destroy());
  };
  const server = identity ? createTlsServer(identity, talk) : createServer(talk);
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  const cut = () => sessions.forEach(({ socket }) => socket.destroy());
  scope.defer(() => {
    server.close();
    cut();
  });
  return {
    port: (server.address() as AddressInfo).port,
    retained,
    publish: (topic, payload) => spread(topic, Buffer.from(payload), true),
    cut,
  };
}
