// The guest's memory. Every access is checked against its size of now, and a pointer beyond it is EFAULT.
import { FileError } from "../files/file-error.ts";

interface Memory {
  readonly buffer: ArrayBuffer;
}

const decoder = new TextDecoder("utf-8", { fatal: true });

export class GuestMemory {
  readonly #memory: () => Memory;

  constructor(memory: () => Memory) {
    this.#memory = memory;
  }

  get view(): DataView {
    return new DataView(this.#memory().buffer);
  }

  bytes(pointer: number, length: number): Uint8Array {
    const { buffer } = this.#memory();
    const [from, size] = [pointer >>> 0, length >>> 0];
    if (from + size > buffer.byteLength) throw new FileError("EFAULT");
    return new Uint8Array(buffer, from, size);
  }

  text(pointer: number, length: number): string {
    try {
      return decoder.decode(this.bytes(pointer, length));
    } catch (error) {
      throw error instanceof FileError ? error : new FileError("EILSEQ");
    }
  }

  u8(pointer: number, value: number) {
    this.view.setUint8(pointer >>> 0, value);
  }

  u16(pointer: number, value: number) {
    this.view.setUint16(pointer >>> 0, value, true);
  }

  u32(pointer: number, value: number) {
    this.view.setUint32(pointer >>> 0, value, true);
  }

  u64(pointer: number, value: bigint) {
    this.view.setBigUint64(pointer >>> 0, value, true);
  }

  /** The pieces of an array of iovec. */
  vectors(pointer: number, count: number): Uint8Array[] {
    const { view } = this;
    const pieces: Uint8Array[] = [];
    for (let i = 0; i < count >>> 0; i++) {
      const at = (pointer >>> 0) + 8 * i;
      pieces.push(this.bytes(view.getUint32(at, true), view.getUint32(at + 4, true)));
    }
    return pieces;
  }
}
