// OPC UA's binary encoding, as far as looking for servers needs it (OPC 10000-6). Pure.

export class UaError extends Error {
  constructor(message: string) {
    super(message);
    this.name = "UaError";
  }
}

export class UaWriter {
  readonly #parts: Buffer[] = [];

  u32(value: number): this {
    const part = Buffer.alloc(4);
    part.writeUInt32LE(value >>> 0);
    this.#parts.push(part);
    return this;
  }

  raw(bytes: Uint8Array): this {
    this.#parts.push(Buffer.from(bytes));
    return this;
  }

  /** Undefined is OPC UA's null. */
  text(value: string | undefined): this {
    if (value === undefined) return this.u32(0xffffffff);
    const bytes = Buffer.from(value);
    return this.u32(bytes.length).raw(bytes);
  }

  /** A name of the standard's own types. */
  type(id: number): this {
    return this.raw([1, 0, id & 0xff, id >> 8] as unknown as Uint8Array);
  }

  /** What every request begins with. */
  requestHeader(handle: number): this {
    const nothing = Buffer.alloc(2);
    const time = Buffer.alloc(8);
    this.raw(nothing).raw(time).u32(handle).u32(0).text(undefined).u32(answerMsHint);
    return this.raw(nothing).raw(Buffer.alloc(1));
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

const answerMsHint = 3000;
const itemsMax = 10_000;

export class UaReader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  #take(length: number): Buffer {
    if (length < 0 || this.#at + length > this.#bytes.length) {
      throw new UaError("the answer ends too early");
    }
    return this.#bytes.subarray(this.#at, (this.#at += length));
  }

  skip(length: number): this {
    this.#take(length);
    return this;
  }

  u8 = () => this.#take(1).readUInt8();
  u16 = () => this.#take(2).readUInt16LE();
  u32 = () => this.#take(4).readUInt32LE();
  i32 = () => this.#take(4).readInt32LE();

  text(): string | undefined {
    const length = this.i32();
    return length < 0 ? undefined : this.#take(length).toString();
  }

  list<T>(read: () => T): T[] {
    const length = this.i32();
    if (length > itemsMax) throw new UaError(`a list has ${length} items`);
    return Array.from({ length: Math.max(length, 0) }, read);
  }

  localizedText(): string | undefined {
    const mask = this.u8();
    if (mask & 1) this.text();
    return mask & 2 ? this.text() : undefined;
  }

  /** A type's number; throws for one that is not the standard's. */
  type(): number {
    const encoding = this.u8();
    if (encoding === 0) return this.u8();
    if (encoding !== 1) throw new UaError("the answer is of an unknown type");
    this.skip(1);
    return this.u16();
  }

  /** Skips what every answer begins with; throws when the server says no. */
  responseHeader(): this {
    this.skip(8 + 4);
    const result = this.u32();
    if (result !== 0) throw new UaError(`the server answers 0x${result.toString(16)}`);
    if (this.u8() !== 0) throw new UaError("the answer has diagnostics that nobody asked for");
    this.list(() => this.text());
    // An extension without a body.
    this.type();
    if (this.u8() !== 0) throw new UaError("the answer has an unknown extension");
    return this;
  }
}
