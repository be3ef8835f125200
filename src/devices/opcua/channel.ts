// A channel to an OPC UA server: Hello, a secure channel with the policy None, and one request after the other
// (OPC 10000-6, 6.7 and 7.1).
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Clock } from "../../lib/clock.ts";
import { UaError, UaReader, UaWriter } from "./codec.ts";

const messageBytesMax = 2 ** 20;
const bufferBytes = 65_536;
const answerMsMax = 3000;
const channelMs = 3_600_000;
/** A channel is renewed when this part of what the server granted has passed. */
const renewAfter = 0.75;
export const noSecurity = "http://opcfoundation.org/UA/SecurityPolicy#None";

/** Of the standard's types in binary form. */
const types = { openChannel: 446, openedChannel: 449, closeChannel: 452, fault: 397 };
const issue = 0;
const renew = 1;
const modeNone = 1;

interface Granted {
  id: number;
  token: number;
  lifetimeMs: number;
}

interface Frame {
  type: string;
  chunk: string;
  body: Buffer;
}

const frame = (type: string, body: Buffer) =>
  Buffer.concat([Buffer.from(`${type}F`), new UaWriter().u32(body.length + 8).bytes(), body]);

function hello(url: string) {
  const body = new UaWriter().u32(0).u32(bufferBytes).u32(bufferBytes);
  return frame("HEL", body.u32(messageBytesMax).u32(0).text(url).bytes());
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
  if (!value) throw new UaError("the connection is closed");
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

/** Behind the type and what every answer begins with. Throws UaError when it is another or says no. */
export function expectType(reader: UaReader, wanted: number): UaReader {
  const type = reader.type();
  if (type === types.fault) reader.responseHeader();
  if (type !== wanted) throw new UaError(`the server answers with type ${type}`);
  return reader.responseHeader();
}

function readGranted(body: Buffer): Granted {
  const reader = new UaReader(body).skip(4);
  for (let i = 0; i < 3; i++) reader.text();
  reader.skip(8);
  expectType(reader, types.openedChannel).skip(4);
  const [id, token] = [reader.u32(), reader.u32()];
  return { id, token, lifetimeMs: reader.skip(8).u32() };
}

/** `opc.tcp://HOST[:PORT]/PATH`, in parts. Throws UaError. */
export function uaAddress(url: string): { host: string; port: number; path: string } {
  const [, bracketed, name, port = "4840", path = "/"] =
    /^opc\.tcp:\/\/(?:\[([^\]/]+)\]|([^:/]+))(?::(\d+))?(\/.*)?$/.exec(url) ?? [];
  const host = bracketed ?? name;
  if (host === undefined) throw new UaError(`${JSON.stringify(url)} is no opc.tcp address`);
  return { host, port: Number(port), path };
}

export interface UaRequest {
  type: number;
  answer: number;
  /** What stands behind the request's header. */
  body: Uint8Array;
  /** The token of the session that asks. */
  session?: Uint8Array;
}

/** Its requests are asked one after the other by its one owner. */
export class UaChannel {
  readonly #socket: Socket;
  readonly #reading: AsyncGenerator<Frame>;
  readonly #url: string;
  readonly #clock: Clock;
  #granted: Granted = { id: 0, token: 0, lifetimeMs: 0 };
  #renewAt = 0;
  #sequence = 0;

  private constructor(url: string, clock: Clock, socket: Socket) {
    this.#url = url;
    this.#clock = clock;
    this.#socket = socket;
    this.#reading = frames(socket);
  }

  /** Throws UaError, or what the connection says. */
  static async open(url: string, { clock, signal }: { clock: Clock; signal: AbortSignal }) {
    const { host, port } = uaAddress(url);
    const socket = connect({ host, port, signal: AbortSignal.any([signal]) });
    socket.on("timeout", () => socket.destroy(new UaError(`${url} does not answer`)));
    socket.on("error", () => {});
    const channel = new UaChannel(url, clock, socket);
    try {
      await channel.#exchange(hello(url), () => nextOf(channel.#reading, "ACK"));
      await channel.#grant(issue);
      return channel;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  async #exchange<T>(message: Buffer, answer: () => Promise<T>): Promise<T> {
    this.#socket.setTimeout(answerMsMax);
    this.#socket.write(message);
    try {
      return await answer();
    } finally {
      this.#socket.setTimeout(0);
    }
  }

  async #grant(kind: typeof issue | typeof renew) {
    const number = ++this.#sequence;
    const request = new UaWriter().u32(this.#granted.id).text(noSecurity);
    request.text(undefined).text(undefined).u32(number).u32(number);
    request.type(types.openChannel).requestHeader(number).u32(0).u32(kind).u32(modeNone);
    request.text(undefined).u32(channelMs);
    const { body } = await this.#exchange(frame("OPN", request.bytes()), () =>
      nextOf(this.#reading, "OPN"),
    );
    this.#granted = readGranted(body);
    this.#renewAt = this.#clock.monotonic() + this.#granted.lifetimeMs * renewAfter;
  }

  #message(type: string, request: UaRequest): Buffer {
    const { id, token } = this.#granted;
    const number = ++this.#sequence;
    const writer = new UaWriter().u32(id).u32(token).u32(number).u32(number);
    writer.type(request.type).requestHeader(number, request.session).raw(request.body);
    return frame(type, writer.bytes());
  }

  /** Resolves with what stands behind the answer's header. Throws UaError. */
  async ask(request: UaRequest): Promise<UaReader> {
    if (this.#clock.monotonic() >= this.#renewAt) await this.#grant(renew);
    const message = this.#message("MSG", request);
    const body = await this.#exchange(message, () => whole(this.#reading));
    return expectType(new UaReader(body), request.answer);
  }

  get url(): string {
    return this.#url;
  }

  close() {
    const last = { type: types.closeChannel, answer: 0, body: Buffer.alloc(0) };
    if (this.#socket.writable) this.#socket.end(this.#message("CLO", last));
    this.#socket.destroySoon();
  }
}
