// A client of SPDY sessions, for the tests of this folder.
import { once } from "node:events";
import type { Duplex } from "node:stream";
import { constants, createDeflate } from "node:zlib";
import { dictionary } from "../../lib/spdy/dictionary.ts";
import { controlFrame, finFlag, frameType, readFrames } from "../../lib/spdy/frames.ts";

const uint32 = (value: number) => {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
};

/** Header blocks as a client writes them: one deflate stream with the dictionary, sync-flushed. */
export function deflater() {
  const deflate = createDeflate({ dictionary, flush: constants.Z_SYNC_FLUSH });
  return async (headers: Record<string, string>) => {
    const strings = Object.entries(headers).flat();
    const pairs = strings.flatMap((text) => [uint32(text.length), Buffer.from(text)]);
    deflate.write(Buffer.concat([uint32(strings.length / 2), ...pairs]));
    await once(deflate, "readable");
    return deflate.read() as Buffer;
  };
}

/** A client's end of a session: opens streams and gathers what comes on each. */
export function spdyClient(transport: Duplex, headers: Record<string, string> = {}) {
  const compress = deflater();
  const received: Record<number, string> = {};
  const ends = new Map<number, () => void>();
  const read = async () => {
    for await (const { type, stream, flags, payload } of readFrames(transport)) {
      if (type !== undefined) continue;
      received[stream] = (received[stream] ?? "") + payload.toString();
      if (flags & finFlag) ends.get(stream)?.();
    }
  };
  read().catch(() => {});
  /** Opens a stream; `ended` resolves once the server has said its last on it. */
  const open = async (id: number, streamtype: string) => {
    const block = await compress({ streamtype, ...headers });
    const ended = new Promise<void>((resolve) => ends.set(id, resolve));
    transport.write(controlFrame(frameType.synStream, id, 0, Buffer.alloc(2), block));
    return { ended };
  };
  return { received, open };
}
