// Values of one list are copied side by side into a few blocks: ten thousand small buffers, each with its
// own memory, cost the collector more than the list itself. A block lives as long as any value in it, so
// only what lives and dies together goes into the same Blocks.

const blockBytes = 256 * 1024;

export class Blocks {
  #block = Buffer.allocUnsafeSlow(0);
  #used = 0;
  #blocks: Buffer<ArrayBuffer>[] = [];
  #free: Buffer<ArrayBuffer>[] = [];

  /** A copy of `bytes` from `start` to `end`. */
  copy(bytes: Uint8Array, start: number, end: number): Uint8Array {
    const size = end - start;
    if (size > blockBytes / 4) return Uint8Array.prototype.slice.call(bytes, start, end);
    if (this.#used + size > this.#block.length) {
      this.#block = this.#free.pop() ?? Buffer.allocUnsafeSlow(blockBytes);
      this.#blocks.push(this.#block);
      this.#used = 0;
    }
    const copy = this.#block.subarray(this.#used, this.#used + size);
    copy.set(bytes.subarray(start, end));
    this.#used += size;
    return copy;
  }

  /** Nobody reads what was copied until now: its memory is used again. */
  reuse() {
    this.#free.push(...this.#blocks);
    this.#blocks = [];
    this.#block = Buffer.allocUnsafeSlow(0);
    this.#used = 0;
  }
}
