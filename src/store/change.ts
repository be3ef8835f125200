// One entry of the log, and its form on disk:
// 1 byte type, 8 bytes previous revision, 2 bytes length of the key, key, value.

export const changeTypes = ["create", "update", "delete"] as const;

/** A change without its value. */
export interface Head {
  type: (typeof changeTypes)[number];
  key: string;
  revision: number;
  /** The revision of the change to this key before, 0 for none. */
  previous: number;
}

export interface Change extends Head {
  value: Uint8Array;
}

const keyAt = 11;

export function encodeChange(change: Change): Buffer {
  const keyBytes = Buffer.byteLength(change.key);
  const out = Buffer.allocUnsafe(keyAt + keyBytes + change.value.length);
  out.writeUInt8(changeTypes.indexOf(change.type), 0);
  out.writeBigUInt64BE(BigInt(change.previous), 1);
  out.writeUInt16BE(keyBytes, 9);
  out.write(change.key, keyAt);
  out.set(change.value, keyAt + keyBytes);
  return out;
}

export const decodeHead = (bytes: Buffer): Omit<Head, "revision"> => ({
  type: changeTypes[bytes.readUInt8(0)]!,
  previous: Number(bytes.readBigUInt64BE(1)),
  key: bytes.toString("utf8", keyAt, keyAt + bytes.readUInt16BE(9)),
});

/** Where the value begins in an encoded change. */
export const valueAt = (bytes: Buffer) => keyAt + bytes.readUInt16BE(9);
