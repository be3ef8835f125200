// Writes protobuf messages from their end to their beginning, so that every length is known when it is
// written and nothing is measured twice.

const firstBytes = 64 * 1024;

/** A buffer that grew beyond this is not kept for the next message. */
const keptBytesMax = 1024 * 1024;

/** Up to this a loop is faster than a call out of JavaScript. */
const shortChars = 40;

export class BackwardWriter {
  #buffer = Buffer.allocUnsafe(firstBytes);
  #at = firstBytes;

  /** Bytes written so far. */
  get length() {
    return this.#buffer.length - this.#at;
  }

  #reserve(bytes: number) {
    if (this.#at >= bytes) return;
    const used = this.length;
    let size = this.#buffer.length * 2;
    while (size - used < bytes) size *= 2;
    const larger = Buffer.allocUnsafe(size);
    this.#buffer.copy(larger, size - used, this.#at);
    this.#buffer = larger;
    this.#at = size - used;
  }

  bytes(content: Uint8Array) {
    this.#reserve(content.length);
    this.#at -= content.length;
    this.#buffer.set(content, this.#at);
  }

  text(content: string) {
    if (content.length <= shortChars && this.#ascii(content)) return;
    const length = Buffer.byteLength(content);
    this.#reserve(length);
    this.#at -= length;
    this.#buffer.write(content, this.#at, length);
  }

  /** Short names, of which objects are full, letter by letter; false when one is not ASCII. */
  #ascii(content: string): boolean {
    const { length } = content;
    this.#reserve(length);
    const start = this.#at - length;
    for (let i = 0; i < length; i++) {
      const code = content.charCodeAt(i);
      if (code >= 0x80) return false;
      this.#buffer[start + i] = code;
    }
    this.#at = start;
    return true;
  }

  double(value: number) {
    this.#reserve(8);
    this.#at -= 8;
    this.#buffer.writeDoubleLE(value, this.#at);
  }

  /** A whole number; negative ones take ten bytes of two's complement. */
  varint(value: number) {
    if (value >= 0 && value < 0x80) {
      this.#reserve(1);
      this.#buffer[--this.#at] = value;
      return;
    }
    if (value < 0) return this.#negative(value);
    let length = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) length++;
    this.#reserve(length);
    this.#at -= length;
    let at = this.#at;
    let rest = value;
    for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) this.#buffer[at++] = (rest % 0x80) | 0x80;
    this.#buffer[at] = rest;
  }

  #negative(value: number) {
    let rest = BigInt.asUintN(64, BigInt(value));
    const low: number[] = [];
    for (; rest >= 0x80n; rest >>= 7n) low.push(Number(rest & 0x7fn) | 0x80);
    this.bytes(Uint8Array.from([...low, Number(rest)]));
  }

  tag(id: number, wire: number) {
    this.varint(id * 8 + wire);
  }

  /** The length of what was written since the writer had `before` bytes, and the field's tag. */
  delimit(id: number, before: number) {
    this.varint(this.length - before);
    this.tag(id, 2);
  }

  /** Everything written; the writer is empty again. */
  take(): Buffer {
    const out = Buffer.from(this.#buffer.subarray(this.#at));
    if (this.#buffer.length > keptBytesMax) this.#buffer = Buffer.allocUnsafe(firstBytes);
    this.#at = this.#buffer.length;
    return out;
  }
}
