// A file that is written from its beginning on, without the zeros: blocks of nothing stay holes, so an image takes the
// room of what is in it. Writes are done when `write` returns, so nothing is on its way when a source breaks off.
import { closeSync, ftruncateSync, openSync, writeSync } from "node:fs";
import { Writable } from "node:stream";

const blockBytes = 4096;
const nothing = Buffer.alloc(blockBytes);

const isHole = (chunk: Buffer, start: number, end: number) =>
  nothing.compare(chunk, start, end, 0, end - start) === 0;

export class SparseFile {
  readonly #fd: number;
  #at: number;

  /** Of what was written before, the first `start` bytes are kept. */
  constructor(file: string, start = 0) {
    this.#fd = openSync(file, start > 0 ? "r+" : "w", 0o660);
    this.#at = start;
    ftruncateSync(this.#fd, start);
  }

  get bytes(): number {
    return this.#at;
  }

  write(chunk: Buffer) {
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
      this.#put(chunk, start, upTo);
      start = upTo;
    }
    this.#at += chunk.length;
  }

  /** Blocks are those of the file. */
  #blockEnd(chunk: Buffer, start: number): number {
    const left = blockBytes - ((this.#at + start) % blockBytes);
    return Math.min(start + left, chunk.length);
  }

  #put(chunk: Buffer, start: number, end: number) {
    for (let from = start; from < end;) {
      from += writeSync(this.#fd, chunk, from, end - from, this.#at + from);
    }
  }

  /** As long as all that came. */
  close() {
    try {
      ftruncateSync(this.#fd, this.#at);
    } finally {
      closeSync(this.#fd);
    }
  }

  /** The end of a pipeline. */
  static stream(path: string): Writable {
    const file = new SparseFile(path);
    let isClosed = false;
    const close = () => {
      if (isClosed) return;
      isClosed = true;
      file.close();
    };
    /** Whoever waits for the end finds the file whole. */
    const then = (act: () => void) => (done: (error?: Error | null) => void) => {
      try {
        act();
        done();
      } catch (error) {
        done(error as Error);
      }
    };
    return new Writable({
      write: (chunk: Buffer, _, done) => then(() => file.write(chunk))(done),
      final: then(close),
      destroy: (error, done) => then(close)((second) => done(error ?? second ?? null)),
    });
  }
}
