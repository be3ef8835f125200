// Asks an OPC UA server or discovery server which servers it knows: Hello, a channel without security, and
// FindServers, all of which need no session and no certificate (OPC 10000-4, 5.5.2; OPC 10000-6, 7).
import { connect } from "node:net";
import type { Socket } from "node:net";
import { UaError, UaReader, UaWriter } from "./codec.ts";

const messageBytesMax = 2 ** 20;
const bufferBytes = 65_536;
const answerMsMax = 3000;
const channelMs = 60_000;
const noSecurity = "http://opcfoundation.org/UA/SecurityPolicy#None";

/** Of the standard's types in binary form. */
const types = {
  openChannel: 446,
  openedChannel: 449,
  findServers: 422,
  foundServers: 425,
  closeChannel: 452,
  fault: 397,
};

export interface UaServer {
  name: string;
  kind: "Server" | "Client" | "ClientAndServer" | "DiscoveryServer";
  urls: string[];
}

const kinds = ["Server", "Client", "ClientAndServer", "DiscoveryServer"] as const;

const frame = (type: string, body: Buffer) =>
  Buffer.concat([Buffer.from(`${type}F`), new UaWriter().u32(body.length + 8).bytes(), body]);

const hello = (url: string) =>
  frame(
    "HEL",
    new UaWriter()
      .u32(0)
      .u32(bufferBytes)
      .u32(bufferBytes)
      .u32(messageBytesMax)
      .u32(0)
      .text(url)
      .bytes(),
  );

const openChannel = () =>
  frame(
    "OPN",
    new UaWriter()
      .u32(0)
      .text(noSecurity)
      .text(undefined)
      .text(undefined)
      .u32(1)
      .u32(1)
      .type(types.openChannel)
      .requestHeader(1)
      .u32(0)
      .u32(0)
      .u32(1)
      .text(undefined)
      .u32(channelMs)
      .bytes(),
  );

interface Channel {
  id: number;
  token: number;
}

const inChannel = ({ id, token }: Channel, sequence: number) =>
  new UaWriter().u32(id).u32(token).u32(sequence).u32(sequence);

const findServersRequest = (channel: Channel, url: string) =>
  frame(
    "MSG",
    inChannel(channel, 2).type(types.findServers).requestHeader(2).text(url).u32(0).u32(0).bytes(),
  );

const closeChannel = (channel: Channel) =>
  frame("CLO", inChannel(channel, 3).type(types.closeChannel).requestHeader(3).bytes());

function expectType(reader: UaReader, wanted: number) {
  const type = reader.type();
  if (type === types.fault) reader.responseHeader();
  if (type !== wanted) throw new UaError(`the server answers with type ${type}`);
  return reader.responseHeader();
}

export function readChannel(body: Buffer): Channel {
  const reader = new UaReader(body).skip(4);
  for (let i = 0; i < 3; i++) reader.text();
  reader.skip(8);
  expectType(reader, types.openedChannel).skip(4);
  return { id: reader.u32(), token: reader.u32() };
}

/** `body` begins with the type. */
export function readServers(body: Buffer): UaServer[] {
  const reader = new UaReader(body);
  expectType(reader, types.foundServers);
  return reader.list(() => {
    reader.text();
    reader.text();
    const name = reader.localizedText() ?? "";
    const kind = kinds[reader.u32()];
    if (!kind) throw new UaError("a server is of no known kind");
    reader.text();
    reader.text();
    const urls = reader.list(() => reader.text() ?? "");
    return { name, kind, urls };
  });
}

interface Frame {
  type: string;
  chunk: string;
  body: Buffer;
}

async function* frames(socket: Socket): AsyncGenerator<Frame> {
  let bytes = Buffer.alloc(0);
  for await (const part of socket as AsyncIterable<Buffer>) {
    bytes = Buffer.concat([bytes, part]);
    while (bytes.length >= 8) {
      const length = bytes.readUInt32LE(4);
      if (length < 8 || length > messageBytesMax) throw new UaError("this is no OPC UA server");
      if (bytes.length < length) break;
      const type = bytes.toString("latin1", 0, 3);
      yield { type, chunk: String.fromCharCode(bytes[3]!), body: bytes.subarray(8, length) };
      bytes = bytes.subarray(length);
    }
  }
  throw new UaError("the server closed the connection");
}

async function nextOf(reading: AsyncGenerator<Frame>, wanted: string): Promise<Frame> {
  const { value } = await reading.next();
  if (value.type === "ERR") {
    const reader = new UaReader(value.body);
    const code = reader.u32().toString(16);
    throw new UaError(`the server answers 0x${code}: ${reader.text() ?? ""}`);
  }
  if (value.type !== wanted) throw new UaError(`the server answers ${value.type}`);
  return value;
}

/** The body of a message that came in parts. */
async function whole(reading: AsyncGenerator<Frame>): Promise<Buffer> {
  const parts: Buffer[] = [];
  let length = 0;
  for (;;) {
    const { chunk, body } = await nextOf(reading, "MSG");
    if (chunk === "A") throw new UaError("the server gave up its answer");
    // Channel, token, sequence and request stand before each part.
    parts.push(body.subarray(16));
    length += body.length;
    if (length > messageBytesMax) throw new UaError("the answer is too long");
    if (chunk === "F") return Buffer.concat(parts);
  }
}

/** `opc.tcp://HOST[:PORT]/PATH`, in parts. Throws UaError. */
export function uaAddress(url: string): { host: string; port: number; path: string } {
  const [, bracketed, name, port = "4840", path = "/"] =
    /^opc\.tcp:\/\/(?:\[([^\]/]+)\]|([^:/]+))(?::(\d+))?(\/.*)?$/.exec(url) ?? [];
  const host = bracketed ?? name;
  if (host === undefined) throw new UaError(`${JSON.stringify(url)} is no opc.tcp address`);
  return { host, port: Number(port), path };
}

/** Throws UaError, or what the connection says. */
export async function findServers(url: string, signal: AbortSignal): Promise<UaServer[]> {
  const { host, port } = uaAddress(url);
  const socket = connect({ host, port, signal: AbortSignal.any([signal]) });
  socket.setTimeout(answerMsMax, () => socket.destroy(new UaError(`${url} does not answer`)));
  socket.on("error", () => {});
  const reading = frames(socket);
  try {
    socket.write(hello(url));
    await nextOf(reading, "ACK");
    socket.write(openChannel());
    const { body } = await nextOf(reading, "OPN");
    const channel = readChannel(body);
    socket.write(findServersRequest(channel, url));
    const servers = readServers(await whole(reading));
    socket.end(closeChannel(channel));
    return servers;
  } finally {
    socket.destroy();
  }
}
