// An OPC UA server for tests, as far as FindServers and sessions of nobody in particular go.
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Scope } from "../../lib/scope.ts";
import { UaReader, UaWriter } from "./codec.ts";
import type { UaServer } from "./find-servers.ts";

export interface FakeUaServerOptions {
  servers: UaServer[];
  /** Values by their node's name in binary form, in hexadecimal: Variants. */
  values?: Map<string, Buffer>;
  /** For how long a channel is granted. */
  channelMs?: number;
  /** Answers come in parts of this size. */
  chunkBytes?: number;
  scope: Scope;
}

const kinds = ["Server", "Client", "ClientAndServer", "DiscoveryServer"];

const frame = (type: string, body: Buffer) =>
  Buffer.concat([Buffer.from(type), new UaWriter().u32(body.length + 8).bytes(), body]);

/** Time, handle, result, diagnostics, strings, and an empty extension. */
const responseHeader = Buffer.alloc(8 + 4 + 4 + 1 + 4 + 3);

function openedChannel(lifetimeMs: number): Buffer {
  const body = new UaWriter().u32(7).text("http://opcfoundation.org/UA/SecurityPolicy#None");
  body.text(undefined).text(undefined).u32(1).u32(1).type(449).raw(responseHeader);
  body.u32(0).u32(7).u32(9).raw(Buffer.alloc(8)).u32(lifetimeMs).text(undefined);
  return frame("OPNF", body.bytes());
}

const answerOf = (type: number) => new UaWriter().type(type).raw(responseHeader);

function described({ name, kind, urls }: UaServer): Buffer {
  const body = new UaWriter().text(`urn:${name}`).text(undefined).u8(3).text("en").text(name);
  body.u32(kinds.indexOf(kind)).text(undefined).text(undefined).u32(urls.length);
  for (const url of urls) body.text(url);
  return body.bytes();
}

function foundServers({ servers }: FakeUaServerOptions): Buffer {
  const body = answerOf(425).u32(servers.length);
  for (const one of servers) body.raw(described(one));
  return body.bytes();
}

function endpoints({ servers }: FakeUaServerOptions): Buffer {
  const none = "http://opcfoundation.org/UA/SecurityPolicy#None";
  const body = answerOf(431).u32(1).text(undefined).raw(described(servers[0]!));
  body.text(undefined).u32(1).text(none);
  body.u32(1).text("anybody").u32(0).text(undefined).text(undefined).text(undefined);
  return body.text(undefined).u8(0).bytes();
}

const sessionToken = Uint8Array.of(0, 77);
const session = () =>
  answerOf(464).raw(sessionToken).raw(sessionToken).f64(60_000).text(undefined).bytes();
const activated = () => answerOf(470).text(undefined).u32(0).u32(0).bytes();

const good = 0;
const badNodeIdUnknown = 0x80340000;

function readNode(reader: UaReader, { values }: FakeUaServerOptions): Buffer {
  const node = reader.skip(8 + 4 + 4).node();
  const value = values?.get(node.toString("hex"));
  const body = answerOf(634).u32(1);
  return value
    ? body.u8(1).raw(value).u32(0).bytes()
    : body.u8(2).u32(badNodeIdUnknown).u32(0).bytes();
}

function writeNode(reader: UaReader, { values }: FakeUaServerOptions): Buffer {
  const node = reader.skip(4).node().toString("hex");
  reader.skip(4).text();
  const known = values?.get(node);
  const written = reader.skip(1).bytes(known?.length ?? 0);
  if (known) values!.set(node, Buffer.from(written));
  return answerOf(676)
    .u32(1)
    .u32(known ? good : badNodeIdUnknown)
    .u32(0)
    .bytes();
}

function answered(message: Buffer, options: FakeUaServerOptions): Buffer | undefined {
  const reader = new UaReader(message.subarray(24));
  const type = reader.type();
  reader.node();
  reader.skip(8 + 4 + 4).text();
  reader.skip(4).node();
  reader.skip(1);
  if (type === 422) return foundServers(options);
  if (type === 428) return endpoints(options);
  if (type === 461) return session();
  if (type === 467) return activated();
  if (type === 631) return readNode(reader, options);
  if (type === 673) return writeNode(reader, options);
  return undefined;
}

function answer(socket: Socket, message: Buffer, options: FakeUaServerOptions) {
  const type = message.toString("latin1", 0, 3);
  const { chunkBytes, channelMs = 60_000 } = options;
  if (type === "HEL") socket.write(frame("ACKF", Buffer.alloc(20)));
  if (type === "OPN") socket.write(openedChannel(channelMs));
  if (type !== "MSG") return;
  const body = answered(message, options);
  if (!body) return;
  const size = chunkBytes ?? body.length;
  const head = new UaWriter().u32(7).u32(9).u32(2).u32(2).bytes();
  for (let at = 0; at < body.length; at += size) {
    const last = at + size >= body.length;
    socket.write(
      frame(last ? "MSGF" : "MSGC", Buffer.concat([head, body.subarray(at, at + size)])),
    );
  }
}

/** Resolves with its address. */
export async function startFakeUaServer(options: FakeUaServerOptions): Promise<string> {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let bytes = Buffer.alloc(0);
    socket.on("error", () => {});
    socket.on("data", (part: Buffer) => {
      bytes = Buffer.concat([bytes, part]);
      while (bytes.length >= 8 && bytes.length >= bytes.readUInt32LE(4)) {
        const length = bytes.readUInt32LE(4);
        answer(socket, bytes.subarray(0, length), options);
        bytes = bytes.subarray(length);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  options.scope.defer(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return `opc.tcp://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}
