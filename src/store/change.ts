// One entry of the log, and its form on disk:
// 1 byte type, 8 bytes previous revision, 2 bytes length of the key, key, value.

export const changeTypes = ["create", "update", "delete"] as const;

export interface Change {
  type: (typeof changeTypes)[number];
  key: string;
  revision: number;
  /** The revision of the change to this key before, 0 for none. */
  previous: number;
  value: Uint8Array;
}

const headBytes = 11;

export function encodeChange(change: Change): Buffer {
  const key = Buffer.from(change.key);
  const out = Buffer.allocUnsafe(headBytes + key.length + change.value.length);
  out.writeUInt8(changeTypes.indexOf(change.type), 0);
  out.writeBigUInt64BE(BigInt(change.previous), 1);
  out.writeUInt16BE(key.length, 9);
  out.set(key, headBytes);
  out.set(change.value, headBytes + key.length);
  return out;
}

export function decodeChange(revision: number, bytes: Buffer): Change {
  const keyEnd = headBytes + bytes.readUInt16BE(9);
  return {
    type: changeTypes[bytes.readUInt8(0)]!,
    previous: Number(bytes.readBigUInt64BE(1)),
    key: bytes.toString("utf8", headBytes, keyEnd),
    value: bytes.subarray(keyEnd),
    revision,
  };
}
