// Values that were just written or read. What follows a write asks for the same few again: the watcher that
// looks at what was there before, the next writer of the same object. They get the same buffer, and with it
// the object that others parsed from it.

/** Bytes of values kept. */
const bytesMax = 2 * 1024 * 1024;

export class RecentValues {
  readonly #values = new Map<number, Uint8Array>();
  #bytes = 0;

  get(revision: number): Uint8Array | undefined {
    return this.#values.get(revision);
  }

  /** Keeps the value; the oldest ones make room. */
  add(revision: number, value: Uint8Array) {
    if (value.length > bytesMax / 4 || this.#values.has(revision)) return;
    this.#values.set(revision, value);
    this.#bytes += value.length;
    for (const [oldest, { length }] of this.#values) {
      if (this.#bytes <= bytesMax) break;
      this.#values.delete(oldest);
      this.#bytes -= length;
    }
  }
}
