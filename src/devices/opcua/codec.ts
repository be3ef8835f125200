// OPC UA's binary encoding, as far as looking for servers and their values needs it (OPC 10000-6). Pure.

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

  u8 = (value: number) => this.raw(Uint8Array.of(value));

  f64(value: number): this {
    const part = Buffer.alloc(8);
    part.writeDoubleLE(value);
    this.#parts.push(part);
    return this;
  }

  /** Undefined is OPC UA's null. */
  text(value: string | undefined): this {
    if (value === undefined) return this.u32(0xffffffff);
    return this.byteString(Buffer.from(value));
  }

  byteString(bytes: Uint8Array | undefined): this {
    return bytes ? this.u32(bytes.length).raw(bytes) : this.text(undefined);
  }

  /** A name of the standard's own types. */
  type(id: number): this {
    return this.raw(Uint8Array.of(1, 0, id & 0xff, id >> 8));
  }

  /** What every request begins with; `session` is the session's token. */
  requestHeader(handle: number, session: Uint8Array = nullNode): this {
    const time = Buffer.alloc(8);
    this.raw(session).raw(time).u32(handle).u32(0).text(undefined).u32(answerMsHint);
    return this.raw(nullNode).u8(0);
  }

  /** A structure within a structure. */
  extension(type: number, body: Buffer): this {
    return this.type(type).u8(1).byteString(body);
  }

  bytes(): Buffer {
    return Buffer.concat(this.#parts);
  }
}

/** The name of nothing. */
export const nullNode = Uint8Array.of(0, 0);
const answerMsHint = 3000;
const itemsMax = 10_000;
/** Of names of a fixed length, by their encoding. */
const nodeBytes: Record<number, number> = { 0: 2, 1: 4, 2: 7, 4: 19 };

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

  /** What was not read yet. */
  rest(): Buffer {
    return this.#bytes.subarray(this.#at);
  }

  skip(length: number): this {
    this.#take(length);
    return this;
  }

  bytes = (length: number): Buffer => this.#take(length);
  u8 = () => this.#take(1).readUInt8();
  u16 = () => this.#take(2).readUInt16LE();
  u32 = () => this.#take(4).readUInt32LE();
  i32 = () => this.#take(4).readInt32LE();

  text(): string | undefined {
    const length = this.i32();
    return length < 0 ? undefined : this.#take(length).toString();
  }

  byteString(): Buffer | undefined {
    const length = this.i32();
    return length < 0 ? undefined : this.#take(length);
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

  /** A node's name as it lies there. */
  node(): Buffer {
    const encoding = this.#bytes[this.#at];
    const fixed = encoding === undefined ? undefined : nodeBytes[encoding];
    if (fixed !== undefined) return this.#take(fixed);
    if (encoding !== 3 && encoding !== 5) throw new UaError("a node has an unknown kind of name");
    const length = this.#bytes.length >= this.#at + 7 ? this.#bytes.readInt32LE(this.#at + 3) : 0;
    return this.#take(7 + Math.max(length, 0));
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
