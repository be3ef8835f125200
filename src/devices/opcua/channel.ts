// A channel to an OPC UA server: Hello, the opening of the channel, and one request after the other (OPC 10000-6,
// 6.7 and 7.1).
import { connect } from "node:net";
import type { Socket } from "node:net";
import type { Clock } from "../../lib/clock.ts";
import { UaError, UaReader, UaWriter } from "./codec.ts";
import { frames, inTime } from "../network/tcp.ts";
import { unprotected } from "./security.ts";
import type { Protection } from "./security.ts";

const messageBytesMax = 2 ** 20;
const bufferBytes = 65_536;
const answerMsMax = 3000;
const channelMs = 3_600_000;
const portMax = 65_535;
/** A channel is renewed when this part of what the server granted has passed. */
const renewAfter = 0.75;

/** Of the standard's types in binary form. */
const types = { openChannel: 446, openedChannel: 449, closeChannel: 452, fault: 397 };
const issue = 0;
const renew = 1;

interface Granted {
  id: number;
  token: number;
  lifetimeMs: number;
}

/** Type and room for the length. */
const headBytes = 8;
/** Then channel and token. */
const messageHeadBytes = headBytes + 8;
/** Then sequence and request. */
const sequenceBytes = 8;

const head = (type: string) => new UaWriter().raw(Buffer.from(`${type}F`)).u32(0);

function hello(url: string) {
  const body = new UaWriter().u32(0).u32(bufferBytes).u32(bufferBytes);
  body.u32(messageBytesMax).u32(0).text(url);
  return unprotected.seal(head("HEL").bytes(), body.bytes());
}

/** Throws UaError for a length that none has. */
function frameLength(bytes: Buffer): number | undefined {
  if (bytes.length < headBytes) return undefined;
  const length = bytes.readUInt32LE(4);
  if (length >= headBytes && length <= messageBytesMax) return length;
  throw new UaError("this is no OPC UA server");
}

/** The next message, which is whole. Throws UaError when it is another, or says no. */
async function nextOf(reading: AsyncGenerator<Buffer>, wanted: string): Promise<Buffer> {
  const { value } = await reading.next();
  if (!value) throw new UaError("the server closed the connection");
  const type = value.toString("latin1", 0, 3);
  if (type === "ERR") {
    const reader = new UaReader(value.subarray(headBytes));
    const code = reader.u32().toString(16);
    throw new UaError(`the server answers 0x${code}: ${(reader.text() ?? "").slice(0, 200)}`);
  }
  if (type !== wanted) throw new UaError(`the server answers ${JSON.stringify(type)}`);
  return value;
}

/** Behind the type and what every answer begins with. Throws UaError when it is another or says no. */
export function expectType(reader: UaReader, wanted: number): UaReader {
  const type = reader.type();
  if (type === types.fault) reader.responseHeader();
  if (type !== wanted) throw new UaError(`the server answers with type ${type}`);
  return reader.responseHeader();
}

/** Of a plain text that begins with the sequence number. */
function readGranted(plain: Buffer): Granted & { nonce: Buffer | undefined } {
  const reader = new UaReader(plain).skip(sequenceBytes);
  expectType(reader, types.openedChannel).skip(4);
  const [id, token] = [reader.u32(), reader.u32()];
  return { id, token, lifetimeMs: reader.skip(8).u32(), nonce: reader.byteString() };
}

/** `opc.tcp://HOST[:PORT]/PATH`, in parts. Throws UaError. */
export function uaAddress(url: string): { host: string; port: number; path: string } {
  const [, bracketed, name, port = "4840", path = "/"] =
    /^opc\.tcp:\/\/(?:\[([^\]/]+)\]|([^:/]+))(?::(\d+))?(\/.*)?$/.exec(url) ?? [];
  const host = bracketed ?? name;
  if (host === undefined || Number(port) > portMax)
    throw new UaError(`${JSON.stringify(url)} is no opc.tcp address`);
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

export interface UaChannelOptions {
  clock: Clock;
  signal: AbortSignal;
  protection?: Protection;
}

/** Its requests are asked one after the other by its one owner. */
export class UaChannel {
  readonly url: string;
  readonly #socket: Socket;
  readonly #reading: AsyncGenerator<Buffer>;
  readonly #clock: Clock;
  readonly #protection: Protection;
  #granted: Granted = { id: 0, token: 0, lifetimeMs: 0 };
  #renewAt = 0;
  #sequence = 0;

  private constructor(
    url: string,
    socket: Socket,
    { clock, protection = unprotected }: UaChannelOptions,
  ) {
    this.url = url;
    this.#clock = clock;
    this.#socket = socket;
    this.#protection = protection;
    this.#reading = frames(socket, frameLength, messageBytesMax);
  }

  /** Throws UaError, or what the connection says. */
  static async open(url: string, options: UaChannelOptions) {
    const { host, port } = uaAddress(url);
    const socket = connect({ host, port, signal: AbortSignal.any([options.signal]) });
    socket.on("error", () => {});
    const channel = new UaChannel(url, socket, options);
    try {
      await channel.#exchange(hello(url), () => nextOf(channel.#reading, "ACK"));
      await channel.#grant(issue);
      return channel;
    } catch (error) {
      socket.destroy();
      throw error;
    }
  }

  #exchange<T>(message: Buffer, answer: () => Promise<T>): Promise<T> {
    this.#socket.write(message);
    return inTime(this.#socket, answerMsMax, answer);
  }

  async #grant(kind: typeof issue | typeof renew) {
    const protection = this.#protection;
    const number = ++this.#sequence;
    const opening = head("OPN").u32(this.#granted.id).raw(protection.openHead()).bytes();
    const body = new UaWriter().u32(number).u32(number).type(types.openChannel);
    body.requestHeader(number).u32(0).u32(kind).u32(protection.mode);
    body.byteString(protection.nonce()).u32(channelMs);
    const message = protection.sealOpen(opening, body.bytes());
    const bytes = await this.#exchange(message, () => nextOf(this.#reading, "OPN"));
    const reader = new UaReader(bytes).skip(headBytes + 4);
    for (let i = 0; i < 3; i++) reader.byteString();
    const rest = reader.rest();
    const answered = bytes.subarray(0, bytes.length - rest.length);
    const { nonce, ...granted } = readGranted(protection.openOpened(answered, rest));
    protection.agree(nonce);
    this.#granted = granted;
    this.#renewAt = this.#clock.monotonic() + granted.lifetimeMs * renewAfter;
  }

  #message(type: string, request: UaRequest): Buffer {
    const { id, token } = this.#granted;
    const number = ++this.#sequence;
    const body = new UaWriter().u32(number).u32(number).type(request.type);
    body.requestHeader(number, request.session).raw(request.body);
    return this.#protection.seal(head(type).u32(id).u32(token).bytes(), body.bytes());
  }

  /** An answer, which may come in parts. */
  async #answer(): Promise<Buffer> {
    const parts: Buffer[] = [];
    let length = 0;
    for (;;) {
      const bytes = await nextOf(this.#reading, "MSG");
      const chunk = String.fromCharCode(bytes[3]!);
      if (chunk === "A") throw new UaError("the server gave up its answer");
      const [before, rest] = [
        bytes.subarray(0, messageHeadBytes),
        bytes.subarray(messageHeadBytes),
      ];
      parts.push(this.#protection.open(before, rest).subarray(sequenceBytes));
      length += bytes.length;
      if (length > messageBytesMax) throw new UaError("the answer is too long");
      if (chunk === "F") return Buffer.concat(parts);
    }
  }

  /** Resolves with what stands behind the answer's header. Throws UaError. */
  async ask(request: UaRequest): Promise<UaReader> {
    if (this.#clock.monotonic() >= this.#renewAt) await this.#grant(renew);
    const body = await this.#exchange(this.#message("MSG", request), () => this.#answer());
    return expectType(new UaReader(body), request.answer);
  }

  close() {
    const last = { type: types.closeChannel, answer: 0, body: Buffer.alloc(0) };
    if (this.#socket.writable) this.#socket.end(this.#message("CLO", last));
    this.#socket.destroySoon();
  }
}
