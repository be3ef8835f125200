// A file that is written from its beginning on, without the zeros: blocks of nothing stay holes, so an image takes the
// room of what is in it. While one write is done elsewhere, what comes is collected for the next; and what is written
// goes on to the disk meanwhile, so that whoever syncs the whole at the end waits for little. Whole blocks may go to
// the disk past the page cache, where they would be copied once more and push out what others read.
import {
  close,
  closeSync,
  constants,
  fdatasync,
  ftruncate,
  ftruncateSync,
  openSync,
  write,
  writev,
} from "node:fs";
import { Writable } from "node:stream";
import { promisify } from "node:util";

const blockBytes = 4096;
const nothing = Buffer.alloc(blockBytes);
const buffersMax = 256;
const waitingBytesMax = 2 ** 20;
/** What is shorter is collected in the page cache. */
const directBytesMin = 2 ** 18;
const unsyncedBytesMax = 32 * 2 ** 20;

/** The first byte tells of most blocks. */
const isHole = (chunk: Buffer, start: number, end: number) =>
  chunk[start] === 0 && nothing.compare(chunk, start, end, 0, end - start) === 0;

interface Piece {
  at: number;
  bytes: Buffer;
  isDirect: boolean;
  done?: (error?: Error) => void;
}

export interface SparseFileOptions {
  /** Of what was written before, so much is kept. */
  start?: number;
  /** Chunks lie in memory as they will in blocks of the file. */
  isDirect?: boolean;
}

/** Undefined where the file system has no such way. */
function openDirect(file: string): number | undefined {
  try {
    return openSync(file, constants.O_WRONLY | constants.O_DIRECT);
  } catch {
    return undefined;
  }
}

export class SparseFile {
  readonly #fd: number;
  #direct: number | undefined;
  readonly #waiting: Piece[] = [];
  #at: number;
  #isBusy = false;
  #failure: Error | undefined;
  #unsyncedBytes = 0;
  #syncing: Promise<void> | undefined;
  #whenIdle: (() => void)[] = [];

  constructor(file: string, { start = 0, isDirect = false }: SparseFileOptions = {}) {
    this.#fd = openSync(file, start > 0 ? "r+" : "w", 0o660);
    this.#at = start;
    ftruncateSync(this.#fd, start);
    if (isDirect) this.#direct = openDirect(file);
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
      pieces.push(...this.#piecesOf(this.#at + start, chunk.subarray(start, upTo)));
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

  /** Past the page cache goes what is whole blocks. */
  #piecesOf(at: number, bytes: Buffer): Piece[] {
    if (this.#direct === undefined || bytes.length < directBytesMin) {
      return [{ at, bytes, isDirect: false }];
    }
    const first = Math.min(Math.ceil(at / blockBytes) * blockBytes - at, bytes.length);
    const last = Math.max(first, bytes.length - ((at + bytes.length) % blockBytes));
    return [
      { at, bytes: bytes.subarray(0, first), isDirect: false },
      { at: at + first, bytes: bytes.subarray(first, last), isDirect: true },
      { at: at + last, bytes: bytes.subarray(last), isDirect: false },
    ].filter((piece) => piece.bytes.length > 0);
  }

  #writeNext() {
    const first = this.#waiting[0];
    this.#isBusy = first !== undefined;
    if (!first) {
      for (const tell of this.#whenIdle.splice(0)) tell();
      return;
    }
    if (this.#failure) return this.#end(this.#waiting.length);
    if (first.isDirect) return this.#writeDirectly(first);
    let count = 0;
    let end = first.at;
    while (count < buffersMax && this.#waiting[count]?.at === end) {
      const { bytes, isDirect } = this.#waiting[count]!;
      if (isDirect) break;
      end += bytes.length;
      count++;
    }
    const buffers = this.#waiting.slice(0, count).map(({ bytes }) => bytes);
    writev(this.#fd, buffers, first.at, (error, written) => {
      this.#syncSome(written ?? 0);
      this.#written(error, written);
    });
  }

  #writeDirectly({ at, bytes }: Piece) {
    write(this.#direct!, bytes, 0, bytes.length, at, (error, written) => {
      if (error?.code !== "EINVAL") return this.#written(error, written);
      // Its blocks are larger than ours, or it cannot after all.
      for (const piece of this.#waiting) piece.isDirect = false;
      closeSync(this.#direct!);
      this.#direct = undefined;
      this.#writeNext();
    });
  }

  #written(error: Error | null, bytes: number) {
    this.#failure ??= error ?? undefined;
    this.#end(error ? this.#waiting.length : this.#passed(bytes));
  }

  #syncSome(bytes: number) {
    this.#unsyncedBytes += bytes;
    if (this.#syncing || this.#unsyncedBytes < unsyncedBytesMax) return;
    this.#unsyncedBytes = 0;
    this.#syncing = promisify(fdatasync)(this.#fd)
      // A disk's failure is told once.
      .catch((error: Error) => void (this.#failure ??= error))
      .finally(() => (this.#syncing = undefined));
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
    await this.#syncing;
    try {
      if (this.#failure) throw this.#failure;
      await promisify(ftruncate)(this.#fd, this.#at);
    } finally {
      if (this.#direct !== undefined) closeSync(this.#direct);
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
