// Typed messages on a byte stream: 1 byte type, 4 bytes length, the rest.
import { once } from "node:events";
import type { Duplex } from "node:stream";

export const frameTypes = {
  /** A call's arguments come first and have no number of their own. */
  stdin: 1,
  stdinEnd: 2,
  resize: 3,
  stdout: 4,
  stderr: 5,
  end: 6,
} as const;
type FrameType = (typeof frameTypes)[keyof typeof frameTypes];

export interface Frame {
  type: number;
  body: Buffer;
}

const headBytes = 5;
/** A frame of output or input holds at most this; longer chunks are cut. */
export const frameBytesMax = 256 * 1024;

/** Resolves when the frame is on its way. Rejects when the stream is gone. */
export async function writeFrame(stream: Duplex, type: FrameType, body: Uint8Array) {
  for (let at = 0; at === 0 || at < body.length; at += frameBytesMax) {
    const part = body.subarray(at, at + frameBytesMax);
    const head = Buffer.alloc(headBytes);
    head.writeUInt8(type, 0);
    head.writeUInt32BE(part.length, 1);
    if (stream.destroyed || stream.writableEnded) throw new Error("the stream is closed");
    if (!stream.write(Buffer.concat([head, part]))) await once(stream, "drain");
  }
}

/** Arguments at most: a command line may be long. */
export const argumentBytesMax = 2 ** 20;

/** Resolves when there is more to read, or never will be. */
function something(stream: Duplex): Promise<void> {
  return new Promise((resolve) => {
    const done = () => {
      for (const event of ["readable", "end", "close"]) stream.off(event, done);
      resolve();
    };
    for (const event of ["readable", "end", "close"]) stream.on(event, done);
  });
}

/** The arguments of a call. */
export function argumentsFrame(args: object): Buffer {
  const body = Buffer.from(JSON.stringify(args));
  if (body.length > argumentBytesMax) throw new Error("the arguments are too long");
  const head = Buffer.alloc(headBytes);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** Reads the arguments; what follows them stays in the stream. */
export async function readArguments(stream: Duplex): Promise<any> {
  let rest: Buffer = Buffer.alloc(0);
  for (;;) {
    const length = rest.length < headBytes ? 0 : rest.readUInt32BE(1);
    if (length > argumentBytesMax) throw new Error("the arguments are too long");
    const end = headBytes + length;
    if (rest.length >= headBytes && rest.length >= end) {
      if (rest.length > end) stream.unshift(rest.subarray(end));
      return JSON.parse(rest.toString("utf8", headBytes, end));
    }
    const chunk: Buffer | null = stream.read();
    if (chunk) rest = Buffer.concat([rest, chunk]);
    else if (stream.readableEnded || stream.destroyed) throw new Error("a call without arguments");
    else await something(stream);
  }
}

/** Frames as they come; ends with the stream. Throws when one is too long or is cut off. */
export async function* readFrames(stream: Duplex): AsyncGenerator<Frame> {
  let rest: Buffer = Buffer.alloc(0);
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    rest = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
    while (rest.length >= headBytes) {
      const length = rest.readUInt32BE(1);
      if (length > frameBytesMax) throw new Error(`a frame of ${length} bytes is too long`);
      if (rest.length < headBytes + length) break;
      yield { type: rest.readUInt8(0), body: rest.subarray(headBytes, headBytes + length) };
      rest = rest.subarray(headBytes + length);
    }
  }
  if (rest.length > 0) throw new Error("the stream ended within a frame");
}
