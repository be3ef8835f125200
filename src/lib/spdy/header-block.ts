// Header blocks of SPDY/3. All blocks of one direction are one zlib stream, cut by sync flushes, so each
// is inflated on its own against the output before it. Our own blocks are sent stored: they are empty
// or nearly so, and a decompressor does not mind.
import { constants, inflateRawSync } from "node:zlib";
import { dictionary } from "./dictionary.ts";

export type Headers = Record<string, string>;

const windowBytes = 32 * 1024;
const blockBytesMax = 16 * 1024;

/** Reads the header blocks of one direction, in order. */
export class HeaderReader {
  #window = dictionary;
  #started = false;

  /** Throws on data that is no header block. */
  read(block: Buffer): Headers {
    let start = 0;
    if (!this.#started) {
      this.#started = true;
      // zlib's own header, and the dictionary's checksum when the flag says that it follows.
      start = block[1]! & 0x20 ? 6 : 2;
    }
    const text = inflateRawSync(block.subarray(start), {
      dictionary: this.#window,
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: blockBytesMax,
    });
    this.#window = Buffer.concat([this.#window, text]).subarray(-windowBytes);
    return parse(text);
  }
}

function parse(text: Buffer): Headers {
  const headers: Headers = {};
  let at = 4;
  const string = () => {
    const length = text.readUInt32BE(at);
    if (at + 4 + length > text.length) throw new Error("a header block ends early");
    const value = text.toString("latin1", at + 4, at + 4 + length);
    at += 4 + length;
    return value;
  };
  for (let left = text.readUInt32BE(0); left > 0; left--) {
    const name = string().toLowerCase();
    headers[name] = string().split("\0")[0]!;
  }
  return headers;
}

/** An empty stored block: Go's inflater hands out what it has only when it sees one. */
const syncFlush = Buffer.from([0, 0, 0, 0xff, 0xff]);

/** Writes the header blocks of one direction. */
export class HeaderWriter {
  #started = false;

  write(headers: Headers): Buffer {
    const pairs = Object.entries(headers);
    const text = Buffer.concat([
      uint32(pairs.length),
      ...pairs.flatMap(([name, value]) => [name, value].flatMap(string)),
    ]);
    const stored = Buffer.alloc(5);
    stored.writeUInt16LE(text.length, 1);
    stored.writeUInt16LE(~text.length & 0xffff, 3);
    const zlibHeader = this.#started ? [] : [Buffer.from([0x78, 0x01])];
    this.#started = true;
    return Buffer.concat([...zlibHeader, stored, text, syncFlush]);
  }
}

function uint32(value: number) {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(value);
  return bytes;
}

const string = (value: string) => [uint32(value.length), Buffer.from(value, "latin1")];
