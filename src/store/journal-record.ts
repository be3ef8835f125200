// A group of changes as it stands in the journal: 4 bytes length and 4 bytes CRC-32 of what follows; for
// each change 8 bytes revision, 4 bytes length, and the change as `change.ts` writes it. Records begin on
// blocks of their own, so that no block with something acknowledged in it is ever written again: on cheap
// flash a power cut tears the block that is being written.
import { crc32 } from "node:zlib";
import { decodeHead, encodeChange, valueAt } from "./change.ts";
import type { Change } from "./change.ts";

export const blockBytes = 4096;
const headBytes = 8;
const changeHeadBytes = 12;

export function encodeRecord(changes: readonly Change[]): Buffer {
  const encoded = changes.map(encodeChange);
  const bytes = encoded.reduce((sum, one) => sum + changeHeadBytes + one.length, headBytes);
  const out = Buffer.alloc(Math.ceil(bytes / blockBytes) * blockBytes);
  let at = headBytes;
  for (const [i, one] of encoded.entries()) {
    out.writeBigUInt64BE(BigInt(changes[i]!.revision), at);
    out.writeUInt32BE(one.length, at + 8);
    out.set(one, at + changeHeadBytes);
    at += changeHeadBytes + one.length;
  }
  out.writeUInt32BE(bytes - headBytes, 0);
  out.writeUInt32BE(crc32(out.subarray(headBytes, bytes)), 4);
  return out;
}

function* changesOf(payload: Buffer): Iterable<Change> {
  for (let at = 0; at < payload.length;) {
    const revision = Number(payload.readBigUInt64BE(at));
    const start = at + changeHeadBytes;
    at = start + payload.readUInt32BE(at + 8);
    const bytes = payload.subarray(start, at);
    yield { ...decodeHead(bytes), revision, value: bytes.subarray(valueAt(bytes)) };
  }
}

/** The changes of one use of a journal: ends where a record is torn, or left from a use before. */
export function* decodeRecords(bytes: Buffer): Iterable<Change> {
  let last = 0;
  for (let at = 0; at + headBytes < bytes.length;) {
    const end = at + headBytes + bytes.readUInt32BE(at);
    if (end === at + headBytes || end > bytes.length) return;
    const payload = bytes.subarray(at + headBytes, end);
    if (crc32(payload) !== bytes.readUInt32BE(at + 4)) return;
    if (Number(payload.readBigUInt64BE(0)) <= last) return;
    for (const change of changesOf(payload)) {
      last = change.revision;
      yield change;
    }
    at = Math.ceil(end / blockBytes) * blockBytes;
  }
}
