// A file that is written from its beginning on, without the zeros: blocks of nothing stay holes, so an image takes the
// room of what is in it. Whole blocks may go to the disk past the page cache, where they would be copied once more and
// push out what others read.
import { ftruncateSync, openSync, closeSync } from "node:fs";
import { Writable } from "node:stream";
import { RoomAhead } from "./room-ahead.ts";
import { WritesInFlight, blockBytes } from "./writes-in-flight.ts";
import type { Pause, Piece } from "./writes-in-flight.ts";

const nothing = Buffer.alloc(blockBytes);
const waitingBytesMax = 2 ** 20;
/** What is shorter is collected in the page cache. */
const directBytesMin = 2 ** 18;

/** The first byte tells of most blocks. */
const isHole = (chunk: Buffer, start: number, end: number) =>
  chunk[start] === 0 && nothing.compare(chunk, start, end, 0, end - start) === 0;

export interface SparseFileOptions {
  /** Of what was written before, so much is kept. */
  start?: number;
  /** Chunks lie in memory as they will in blocks of the file. */
  isDirect?: boolean;
  /** How long it becomes, where that is known. */
  bytes?: number | undefined;
}

export class SparseFile {
  readonly #writes: WritesInFlight;
  readonly #room: RoomAhead | undefined;
  #at: number;

  constructor(file: string, { start = 0, isDirect = false, bytes }: SparseFileOptions = {}) {
    const fd = openSync(file, start > 0 ? "r+" : "w", 0o660);
    ftruncateSync(fd, start);
    closeSync(fd);
    this.#at = start;
    this.#writes = new WritesInFlight(file, isDirect);
    // What waits in the page cache is given its place when it is written out.
    if (bytes !== undefined && this.#writes.isDirect)
      this.#room = new RoomAhead(file, { start, bytes });
  }

  /** Of what came. */
  get bytes(): number {
    return this.#at;
  }

  /** Of its beginning, what is written, whatever becomes of the rest. */
  get keptBytes(): number {
    return this.#writes.keptBefore(this.#at);
  }

  /** The chunk stays as it is until `done` is called; after a failure nothing more is written. */
  write(chunk: Buffer, done: (error?: Error) => void) {
    const pieces: (Piece | Pause)[] = [];
    for (let start = 0; start < chunk.length;) {
      const isNothing = isHole(chunk, start, this.#blockEnd(chunk, start));
      let end = start;
      while (end < chunk.length && isHole(chunk, end, this.#blockEnd(chunk, end)) === isNothing) {
        end = this.#blockEnd(chunk, end);
      }
      const at = this.#at + start;
      if (isNothing) pieces.push(...(this.#room?.hole(at, this.#at + end) ?? []));
      else pieces.push(...this.#piecesOf(at, chunk.subarray(start, end)));
      start = end;
    }
    this.#at += chunk.length;
    this.#room?.came(this.#at);
    this.#writes.add(pieces, done);
  }

  /** Blocks are those of the file. */
  #blockEnd(chunk: Buffer, start: number): number {
    const left = blockBytes - ((this.#at + start) % blockBytes);
    return Math.min(start + left, chunk.length);
  }

  /** Past the page cache goes what is whole blocks. */
  #piecesOf(at: number, bytes: Buffer): Piece[] {
    if (!this.#writes.isDirect || bytes.length < directBytesMin) {
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

  /** As long as all that came, or as what is kept of it; nothing is on its way any more. */
  async close(): Promise<void> {
    await this.#room?.settled();
    await this.#writes.close(this.#at);
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
