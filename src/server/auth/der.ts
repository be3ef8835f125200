// DER, the little of it that X.509 needs: values are nested buffers, built inside out (X.690).

export type Der = Buffer;

/** Encodes a value with its tag and its length. */
export function der(tag: number, ...content: Uint8Array[]): Der {
  const body = Buffer.concat(content);
  if (body.length < 0x80) return Buffer.concat([Buffer.from([tag, body.length]), body]);
  const length = Buffer.from(hexOf(body.length), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, body]);
}

const hexOf = (value: number) => {
  const hex = value.toString(16);
  return hex.length % 2 ? `0${hex}` : hex;
};

export const sequence = (...content: Uint8Array[]) => der(0x30, ...content);
export const set = (...content: Uint8Array[]) => der(0x31, ...content);
export const octets = (content: Uint8Array) => der(0x04, content);
export const utf8 = (text: string) => der(0x0c, Buffer.from(text));
export const boolean = (value: boolean) => der(0x01, Buffer.from([value ? 0xff : 0]));
/** `unused` is the number of padding bits at the end. */
export const bits = (content: Uint8Array, unused = 0) => der(0x03, Buffer.from([unused]), content);
/** Context-specific and constructed: `[number] EXPLICIT`. */
export const tagged = (number: number, ...content: Uint8Array[]) => der(0xa0 | number, ...content);
/** Context-specific and primitive: `[number] IMPLICIT`. */
export const implicit = (number: number, content: Uint8Array) => der(0x80 | number, content);

/** A non-negative integer from its big-endian bytes. */
export const integer = (bytes: Uint8Array) =>
  der(0x02, bytes[0]! & 0x80 ? Buffer.from([0]) : Buffer.alloc(0), bytes);

export function objectId(dotted: string): Der {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const bytes = [first! * 40 + second!];
  for (let arc of rest) {
    const septets = [arc & 0x7f];
    while ((arc = Math.floor(arc / 128)) > 0) septets.unshift((arc & 0x7f) | 0x80);
    bytes.push(...septets);
  }
  return der(0x06, Buffer.from(bytes));
}

/** UTCTime until 2049 and GeneralizedTime after, as RFC 5280 4.1.2.5 wants. */
export function time(ms: number): Der {
  const digits = new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "");
  return digits < "2050" ? der(0x17, Buffer.from(digits.slice(2))) : der(0x18, Buffer.from(digits));
}

export interface DerValue {
  tag: number;
  content: Buffer;
  /** Tag and length included. */
  whole: Buffer;
}

/** Splits the values that stand one after the other in `bytes`; throws on lengths that lie. */
export function readDer(bytes: Buffer): DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length;) {
    const start = at;
    const tag = bytes[at++]!;
    let length = bytes[at++] ?? Number.NaN;
    if (length & 0x80) {
      const size = length & 0x7f;
      if (size === 0 || size > 4 || at + size > bytes.length) throw new Error("bad DER length");
      length = bytes.readUIntBE(at, size);
      at += size;
    }
    if (!(at + length <= bytes.length)) throw new Error("bad DER length");
    values.push({
      tag,
      content: bytes.subarray(at, at + length),
      whole: bytes.subarray(start, at + length),
    });
    at += length;
  }
  return values;
}
