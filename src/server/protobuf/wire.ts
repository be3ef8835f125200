// The protobuf wire format, as much as reading needs: fields of varints, fixed numbers and bytes.

export interface Field {
  id: number;
  /** 0 varint, 1 eight bytes, 2 length-delimited, 5 four bytes. */
  wire: number;
  /** The number of a varint. */
  number: number;
  bytes: Uint8Array;
}

const none = new Uint8Array(0);

/** Reads one varint at `at`; negative numbers come as ten bytes of two's complement. */
function varint(bytes: Uint8Array, at: number): { value: number; next: number } {
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) break;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return { value: Number(BigInt.asIntN(64, value)), next: at + i + 1 };
  }
  throw new Error("a varint does not end");
}

/** The varints of a packed list. */
export function packed(bytes: Uint8Array): number[] {
  const numbers: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const { value, next } = varint(bytes, at);
    numbers.push(value);
    at = next;
  }
  return numbers;
}

export const double = (bytes: Uint8Array) =>
  new DataView(bytes.buffer, bytes.byteOffset, bytes.length).getFloat64(0, true);

/** The fields of a message, in order. Throws when the bytes are not one. */
export function* fieldsOf(bytes: Uint8Array): Generator<Field> {
  let at = 0;
  const take = (length: number) => {
    if (length < 0 || at + length > bytes.length) throw new Error("a field ends too early");
    const taken = bytes.subarray(at, at + length);
    at += length;
    return taken;
  };
  while (at < bytes.length) {
    const tag = varint(bytes, at);
    at = tag.next;
    const id = tag.value >>> 3;
    const wire = tag.value & 7;
    if (wire === 0) {
      const { value, next } = varint(bytes, at);
      at = next;
      yield { id, wire, number: value, bytes: none };
    } else if (wire === 2) {
      const length = varint(bytes, at);
      at = length.next;
      yield { id, wire, number: 0, bytes: take(length.value) };
    } else if (wire === 1 || wire === 5) {
      yield { id, wire, number: 0, bytes: take(wire === 1 ? 8 : 4) };
    } else throw new Error(`wire type ${wire} is not known`);
  }
}
