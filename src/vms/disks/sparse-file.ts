// A file that is written from its beginning on, without the zeros: blocks of nothing stay holes, so an image takes the
// room of what is in it. While one write is done elsewhere, what comes is collected for the next.
import { close, ftruncate, ftruncateSync, openSync, writev } from "node:fs";
import { Writable } from "node:stream";
import { promisify } from "node:util";

const blockBytes = 4096;
const nothing = Buffer.alloc(blockBytes);
const buffersMax = 256;
const waitingBytesMax = 2 ** 20;

/** The first byte tells of most blocks. */
const isHole = (chunk: Buffer, start: number, end: number) =>
  chunk[start] === 0 && nothing.compare(chunk, start, end, 0, end - start) === 0;

interface Piece {
  at: number;
  bytes: Buffer;
  done?: (error?: Error) => void;
}

export class SparseFile {
  readonly #fd: number;
  readonly #waiting: Piece[] = [];
  #at: number;
  #isBusy = false;
  #failure: Error | undefined;
  #whenIdle: (() => void)[] = [];

  /** Of what was written before, the first `start` bytes are kept. */
  constructor(file: string, start = 0) {
    this.#fd = openSync(file, start > 0 ? "r+" : "w", 0o660);
    this.#at = start;
    ftruncateSync(this.#fd, start);
  }

  /** Of what came. */
  get bytes(): number {
    return this.#at;
  }

  /** The chunk stays as it is until `done` is called; after a failure nothing more is written. */
  write(chunk: Buffer, done: (error?: Error) => void) {
    const pieces: Piece[] = [];
    for (let start = 0; start < chunk.length;) {
      const end = this.#blockEnd(chunk, start);
      if (isHole(chunk, start, end)) {
        start = end;
        continue;
      }
      let upTo = end;
      while (upTo < chunk.length && !isHole(chunk, upTo, this.#blockEnd(chunk, upTo))) {
        upTo = this.#blockEnd(chunk, upTo);
      }
      pieces.push({ at: this.#at + start, bytes: chunk.subarray(start, upTo) });
      start = upTo;
    }
    this.#at += chunk.length;
    const last = pieces.at(-1);
    if (!last) return done(this.#failure);
    last.done = done;
    this.#waiting.push(...pieces);
    if (!this.#isBusy) this.#writeNext();
  }

  /** Blocks are those of the file. */
  #blockEnd(chunk: Buffer, start: number): number {
    const left = blockBytes - ((this.#at + start) % blockBytes);
    return Math.min(start + left, chunk.length);
  }

  #writeNext() {
    const first = this.#waiting[0];
    this.#isBusy = first !== undefined;
    if (!first) {
      for (const tell of this.#whenIdle.splice(0)) tell();
      return;
    }
    if (this.#failure) return this.#end(this.#waiting.length);
    let count = 0;
    let end = first.at;
    while (count < buffersMax && this.#waiting[count]?.at === end) {
      end += this.#waiting[count++]!.bytes.length;
    }
    const buffers = this.#waiting.slice(0, count).map(({ bytes }) => bytes);
    writev(this.#fd, buffers, first.at, (error, written) => {
      this.#failure ??= error ?? undefined;
      this.#end(error ? this.#waiting.length : this.#passed(written));
    });
  }

  /** How many pieces are written wholly; of the next, what is written is taken off. */
  #passed(written: number): number {
    let left = written;
    let count = 0;
    for (; count < this.#waiting.length && left >= this.#waiting[count]!.bytes.length; count++) {
      left -= this.#waiting[count]!.bytes.length;
    }
    const next = this.#waiting[count];
    if (next && left > 0) {
      next.at += left;
      next.bytes = next.bytes.subarray(left);
    }
    return count;
  }

  #end(count: number) {
    for (const { done } of this.#waiting.splice(0, count)) done?.(this.#failure);
    this.#writeNext();
  }

  /** As long as all that came; nothing is on its way any more. */
  async close(): Promise<void> {
    if (this.#isBusy) await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    try {
      if (this.#failure) throw this.#failure;
      await promisify(ftruncate)(this.#fd, this.#at);
    } finally {
      await promisify(close)(this.#fd);
    }
  }
  /** The end of a pipeline. */
  static stream(path: string): Writable {
    const file = new SparseFile(path);
    let closed: Promise<void> | undefined;
    /** Whoever waits for the end finds the file whole. */
    const end = (done: (error?: Error | null) => void, before: Error | null = null) => {
      closed ??= file.close();
      closed.then(
        () => done(before),
        (error: Error) => done(before ?? error),
      );
    };
    return new Writable({
      highWaterMark: waitingBytesMax,
      write: (chunk: Buffer, _, done) => file.write(chunk, done),
      writev: (chunks, done) => {
        chunks.forEach(({ chunk }, i) =>
          file.write(chunk, i === chunks.length - 1 ? done : () => {}),
        );
      },
      final: (done) => end(done),
      destroy: (error, done) => end(done, error),
    });
  }
}
