// A long answer's bytes, put side by side into pieces of memory. A piece that was written is used again: new memory
// for each makes V8 collect everything again and again, which was a quarter of what a long list took.

/** Size of a piece. */
const chunkBytes = 256 * 1024;

export class Chunks {
  readonly #free: Buffer[] = [];
  #piece: Buffer | undefined;
  #used = 0;

  /** Adds bytes; returns what goes out before there is room for them. Bytes of more than a piece go as they are. */
  add(bytes: Uint8Array): Uint8Array | undefined {
    const full = this.#used + bytes.length > chunkBytes ? this.rest() : undefined;
    this.#piece ??= this.#pieceFor(bytes.length);
    this.#piece.set(bytes, this.#used);
    this.#used += bytes.length;
    return full;
  }

  rest(): Uint8Array | undefined {
    const full = this.#piece?.subarray(0, this.#used);
    this.#piece = undefined;
    this.#used = 0;
    return full;
  }

  #pieceFor(bytes: number) {
    if (bytes > chunkBytes) return Buffer.allocUnsafeSlow(bytes);
    return this.#free.pop() ?? Buffer.allocUnsafeSlow(chunkBytes);
  }

  /** Nobody reads the piece any more. */
  readonly written = ({ buffer }: Uint8Array) => {
    if (buffer.byteLength === chunkBytes) this.#free.push(Buffer.from(buffer as ArrayBuffer));
  };
}
