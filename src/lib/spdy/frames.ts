// Frames of SPDY/3.1: eight bytes of head, then a payload.

export const frameType = {
  synStream: 1,
  synReply: 2,
  rstStream: 3,
  settings: 4,
  ping: 6,
  goAway: 7,
  headers: 8,
  windowUpdate: 9,
} as const;

/** The stream has no more frames in this direction. */
export const finFlag = 1;

const version = 3;
const headBytes = 8;

/** Largest payload of one frame that is taken. */
const payloadBytesMax = 1024 * 1024;

export interface Frame {
  /** Absent for data. */
  type?: number;
  /** Data frames only. */
  stream: number;
  flags: number;
  payload: Buffer;
}

/** Cuts a stream of bytes into frames; throws on a frame that is not SPDY/3 or too large. */
export async function* readFrames(chunks: AsyncIterable<Uint8Array>): AsyncGenerator<Frame> {
  let buffer = Buffer.alloc(0);
  for await (const chunk of chunks) {
    buffer = buffer.length > 0 ? Buffer.concat([buffer, chunk]) : Buffer.from(chunk);
    while (buffer.length >= headBytes) {
      const length = buffer.readUIntBE(5, 3);
      if (length > payloadBytesMax) throw new Error(`a SPDY frame of ${length} bytes`);
      if (buffer.length < headBytes + length) break;
      yield frameIn(buffer, length);
      buffer = buffer.subarray(headBytes + length);
    }
  }
}

function frameIn(buffer: Buffer, length: number): Frame {
  const first = buffer.readUInt32BE(0);
  const flags = buffer[4]!;
  const payload = buffer.subarray(headBytes, headBytes + length);
  if (first < 0x8000_0000) return { stream: first, flags, payload };
  if (((first >>> 16) & 0x7fff) !== version) throw new Error("not SPDY/3");
  return { type: first & 0xffff, stream: 0, flags, payload };
}

function head(first: number, flags: number, length: number): Buffer {
  const bytes = Buffer.alloc(headBytes);
  bytes.writeUInt32BE(first >>> 0, 0);
  bytes[4] = flags;
  bytes.writeUIntBE(length, 5, 3);
  return bytes;
}

export const dataFrame = (stream: number, payload: Uint8Array, flags = 0) =>
  Buffer.concat([head(stream, flags, payload.length), payload]);

export const controlFrame = (type: number, ...payload: (number | Uint8Array)[]) => {
  const body = Buffer.concat(
    payload.map((part) => {
      if (typeof part !== "number") return part;
      const bytes = Buffer.alloc(4);
      bytes.writeUInt32BE(part >>> 0);
      return bytes;
    }),
  );
  return Buffer.concat([head((0x8000_0000 | (version << 16) | type) >>> 0, 0, body.length), body]);
};
