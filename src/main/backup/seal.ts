// A backup under a passphrase: scrypt makes the key, AES-256-GCM seals frames that are numbered, so none can be
// changed, left out or put elsewhere.
import { createCipheriv, createDecipheriv, scryptSync } from "node:crypto";
import { DamagedBackup } from "./records.ts";

export interface Sealing {
  /** Base64. */
  salt: string;
  /** scrypt's N; its r is 8 and its p is 1. */
  cost: number;
}

export const sealingCost = 2 ** 15;
/** What a file may ask of whoever opens it: 256 MiB of memory. */
const costMax = 2 ** 18;
const frameBytes = 64 * 1024;
const tagBytes = 16;
const keyBytes = 32;

export function keyOf(passphrase: string, { salt, cost }: Sealing): Buffer {
  const isPower = Number.isInteger(cost) && cost >= 2 && (cost & (cost - 1)) === 0;
  if (!isPower || cost > costMax) throw new DamagedBackup("its passphrase has an impossible cost");
  const options = { N: cost, r: 8, p: 1, maxmem: 2 * 128 * 8 * cost };
  return scryptSync(passphrase.normalize("NFC"), Buffer.from(salt, "base64"), keyBytes, options);
}

function nonceOf(frame: number) {
  const nonce = Buffer.alloc(12);
  nonce.writeBigUInt64BE(BigInt(frame), 4);
  return nonce;
}

async function* pieces(stream: AsyncIterable<Uint8Array>, bytes: number): AsyncGenerator<Buffer> {
  let held: Buffer[] = [];
  let length = 0;
  for await (const chunk of stream) {
    held.push(Buffer.from(chunk));
    length += chunk.length;
    if (length < bytes) continue;
    const all = Buffer.concat(held);
    let at = 0;
    for (; all.length - at >= bytes; at += bytes) yield all.subarray(at, at + bytes);
    held = [all.subarray(at)];
    length = all.length - at;
  }
  if (length > 0) yield Buffer.concat(held);
}

/** `preamble` is the clear text before the frames; it is vouched for too. */
export const sealFrames = (key: Buffer, preamble: string) =>
  async function* seal(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let frame = 0;
    for await (const piece of pieces(stream, frameBytes)) {
      const cipher = createCipheriv("aes-256-gcm", key, nonceOf(frame++));
      cipher.setAAD(Buffer.from(preamble));
      yield Buffer.concat([cipher.update(piece), cipher.final(), cipher.getAuthTag()]);
    }
  };

export const openFrames = (key: Buffer, preamble: string) =>
  async function* open(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    let frame = 0;
    for await (const piece of pieces(stream, frameBytes + tagBytes)) {
      if (piece.length <= tagBytes) throw new DamagedBackup("it is cut short");
      const decipher = createDecipheriv("aes-256-gcm", key, nonceOf(frame), {
        authTagLength: tagBytes,
      });
      decipher.setAAD(Buffer.from(preamble));
      decipher.setAuthTag(piece.subarray(piece.length - tagBytes));
      const clear = decipher.update(piece.subarray(0, piece.length - tagBytes));
      try {
        decipher.final();
      } catch {
        if (frame > 0) throw new DamagedBackup("it was altered");
        throw new Error("this is not its passphrase, or the backup was altered");
      }
      frame++;
      yield clear;
    }
  };
