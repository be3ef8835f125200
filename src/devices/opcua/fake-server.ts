// An OPC UA server for tests, as far as FindServers goes.
import { createServer } from "node:net";
import type { AddressInfo, Socket } from "node:net";
import type { Scope } from "../../lib/scope.ts";
import { UaWriter } from "./codec.ts";
import type { UaServer } from "./find-servers.ts";

export interface FakeUaServerOptions {
  servers: UaServer[];
  /** Answers come in parts of this size. */
  chunkBytes?: number;
  scope: Scope;
}

const kinds = ["Server", "Client", "ClientAndServer", "DiscoveryServer"];

const frame = (type: string, body: Buffer) =>
  Buffer.concat([Buffer.from(type), new UaWriter().u32(body.length + 8).bytes(), body]);

/** Time, handle, result, diagnostics, strings, and an empty extension. */
const responseHeader = Buffer.alloc(8 + 4 + 4 + 1 + 4 + 3);

function openedChannel(): Buffer {
  const body = new UaWriter().u32(7).text("http://opcfoundation.org/UA/SecurityPolicy#None");
  body.text(undefined).text(undefined).u32(1).u32(1).type(449).raw(responseHeader);
  body.u32(0).u32(7).u32(9).raw(Buffer.alloc(8)).u32(60_000).text(undefined);
  return frame("OPNF", body.bytes());
}

function foundServers(servers: UaServer[]): Buffer {
  const body = new UaWriter().type(425).raw(responseHeader).u32(servers.length);
  for (const { name, kind, urls } of servers) {
    body.text(`urn:${name}`).text(undefined);
    body
      .raw(Buffer.from([3]))
      .text("en")
      .text(name)
      .u32(kinds.indexOf(kind));
    body.text(undefined).text(undefined).u32(urls.length);
    for (const url of urls) body.text(url);
  }
  return body.bytes();
}

function answer(socket: Socket, type: string, { servers, chunkBytes }: FakeUaServerOptions) {
  if (type === "HEL") socket.write(frame("ACKF", Buffer.alloc(20)));
  if (type === "OPN") socket.write(openedChannel());
  if (type !== "MSG") return;
  const body = foundServers(servers);
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
        answer(socket, bytes.toString("latin1", 0, 3), options);
        bytes = bytes.subarray(bytes.readUInt32LE(4));
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
