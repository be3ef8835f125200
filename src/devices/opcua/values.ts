// Names of nodes and values, between OPC UA's binary form and text (OPC 10000-6, 5.2.2 and 5.3.1.10). Pure.
import { PropertyRefused } from "../twins/channel.ts";
import { UaWriter } from "./codec.ts";
import type { UaReader } from "./codec.ts";

const guidPattern = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i;

function guidBytes(text: string): Buffer {
  const bytes = Buffer.from(text.replaceAll("-", ""), "hex");
  // The first three groups are numbers, and lie the other way round.
  bytes.subarray(0, 4).reverse();
  bytes.subarray(4, 6).reverse();
  bytes.subarray(6, 8).reverse();
  return bytes;
}

/** `ns=2;s=Speed`, `i=2258`, `ns=1;g=GUID`, `ns=1;b=BASE64` as bytes. Throws PropertyRefused. */
export function nodeOf(text: unknown): Buffer {
  const [, space = "0", kind, name] = /^(?:ns=(\d{1,5});)?([isgb])=(.+)$/.exec(String(text)) ?? [];
  const head = Buffer.alloc(3);
  if (name === undefined || Number(space) > 65_535)
    throw new PropertyRefused("access.node: a node's name such as ns=2;s=Speed");
  head.writeUInt16LE(Number(space), 1);
  const named = (encoding: number, bytes: Buffer) => {
    head[0] = encoding;
    return Buffer.concat([head, bytes]);
  };
  if (kind === "s") return named(3, new UaWriter().text(name).bytes());
  if (kind === "b") return named(5, new UaWriter().byteString(Buffer.from(name, "base64")).bytes());
  if (kind === "g" && guidPattern.test(name)) return named(4, guidBytes(name));
  if (kind === "i" && /^\d{1,10}$/.test(name) && Number(name) < 2 ** 32)
    return named(2, new UaWriter().u32(Number(name)).bytes());
  throw new PropertyRefused(`access.node: ${JSON.stringify(name)} is no name of this kind`);
}

interface ValueType {
  name: string;
  read(reader: UaReader): string | undefined;
  /** Undefined when the text is no such value. Types without it are only read. */
  write?(text: string): Buffer | undefined;
}

/** `take` and `put` of a Buffer of `length` bytes; throws RangeError for what does not fit. */
function number(
  name: string,
  length: number,
  take: (bytes: Buffer) => number | bigint,
  put: (bytes: Buffer, text: string) => unknown,
): ValueType {
  return {
    name,
    read: (reader) => String(take(reader.bytes(length))),
    write(text) {
      const bytes = Buffer.alloc(length);
      if (text.trim() === "") return undefined;
      try {
        put(bytes, text);
        return bytes;
      } catch {
        return undefined;
      }
    },
  };
}

function whole(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value)) throw new RangeError("no whole number");
  return value;
}

function finite(text: string): number {
  const value = Number(text);
  if (!Number.isFinite(value)) throw new RangeError("no number");
  return value;
}

const truths = new Map([
  ["true", 1],
  ["1", 1],
  ["false", 0],
  ["0", 0],
]);

/** Between 1601, from when OPC UA counts, and 1970. */
const epochMs = 11_644_473_600_000n;

function instant(ticks: bigint): string | undefined {
  const ms = Number(ticks / 10_000n - epochMs);
  return ticks === 0n || Math.abs(ms) > 8.64e15 ? undefined : new Date(ms).toISOString();
}

const types = new Map<number, ValueType>([
  [
    1,
    {
      name: "Boolean",
      read: (reader) => String(reader.u8() !== 0),
      write: (text) => {
        const value = truths.get(text);
        return value === undefined ? undefined : Buffer.of(value);
      },
    },
  ],
  [
    2,
    number(
      "SByte",
      1,
      (b) => b.readInt8(),
      (b, text) => b.writeInt8(whole(text)),
    ),
  ],
  [
    3,
    number(
      "Byte",
      1,
      (b) => b.readUInt8(),
      (b, text) => b.writeUInt8(whole(text)),
    ),
  ],
  [
    4,
    number(
      "Int16",
      2,
      (b) => b.readInt16LE(),
      (b, text) => b.writeInt16LE(whole(text)),
    ),
  ],
  [
    5,
    number(
      "UInt16",
      2,
      (b) => b.readUInt16LE(),
      (b, text) => b.writeUInt16LE(whole(text)),
    ),
  ],
  [
    6,
    number(
      "Int32",
      4,
      (b) => b.readInt32LE(),
      (b, text) => b.writeInt32LE(whole(text)),
    ),
  ],
  [
    7,
    number(
      "UInt32",
      4,
      (b) => b.readUInt32LE(),
      (b, text) => b.writeUInt32LE(whole(text)),
    ),
  ],
  [
    8,
    number(
      "Int64",
      8,
      (b) => b.readBigInt64LE(),
      (b, text) => b.writeBigInt64LE(BigInt(text)),
    ),
  ],
  [
    9,
    number(
      "UInt64",
      8,
      (b) => b.readBigUInt64LE(),
      (b, text) => b.writeBigUInt64LE(BigInt(text)),
    ),
  ],
  [
    10,
    number(
      "Float",
      4,
      (b) => Number(b.readFloatLE().toPrecision(7)),
      (b, text) => b.writeFloatLE(finite(text)),
    ),
  ],
  [
    11,
    number(
      "Double",
      8,
      (b) => b.readDoubleLE(),
      (b, text) => b.writeDoubleLE(finite(text)),
    ),
  ],
  [
    12,
    {
      name: "String",
      read: (reader) => reader.text(),
      write: (text) => new UaWriter().text(text).bytes(),
    },
  ],
  [13, { name: "DateTime", read: (reader) => instant(reader.bytes(8).readBigInt64LE()) }],
  [
    21,
    {
      name: "LocalizedText",
      read: (reader) => reader.localizedText(),
      write: (text) => new UaWriter().u8(2).text(text).bytes(),
    },
  ],
]);

const arrayBits = 0xc0;

export interface UaValue {
  /** The type's number; 0 of a value that is not there. */
  type: number;
  text: string | undefined;
}

/** A Variant of one value. Throws PropertyRefused for arrays and structures. */
export function readVariant(reader: UaReader): UaValue {
  const encoding = reader.u8();
  if (encoding === 0) return { type: 0, text: undefined };
  if (encoding & arrayBits) throw new PropertyRefused("an array; only single values are read");
  const type = types.get(encoding);
  if (!type) throw new PropertyRefused(`a value of type ${encoding}, which is not read as text`);
  return { type: encoding, text: type.read(reader) };
}

/** Throws PropertyRefused when the text is no value of this type. */
export function writeVariant(type: number, text: string): Buffer {
  const known = types.get(type);
  if (!known?.write) throw new PropertyRefused("what the node has cannot be written as text");
  const bytes = known.write(text);
  if (!bytes) throw new PropertyRefused(`${JSON.stringify(text)} is no ${known.name}`);
  return Buffer.concat([Buffer.of(type), bytes]);
}

const statuses = new Map([
  [0x801f0000, "BadUserAccessDenied"],
  [0x80330000, "BadNodeIdInvalid"],
  [0x80340000, "BadNodeIdUnknown"],
  [0x80350000, "BadAttributeIdInvalid"],
  [0x803a0000, "BadNotReadable"],
  [0x803b0000, "BadNotWritable"],
  [0x803c0000, "BadOutOfRange"],
  [0x80740000, "BadTypeMismatch"],
]);

/** Throws PropertyRefused for a status that says no. */
export function expectGood(status: number) {
  if (status < 0x80000000) return;
  throw new PropertyRefused(
    `the server answers ${statuses.get(status) ?? `0x${status.toString(16)}`}`,
  );
}
