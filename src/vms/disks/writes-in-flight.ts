// The writes of a file that grows from its beginning. What goes past the page cache is several writes at once, since a
// disk is fastest when it need not wait for the next; what goes through it is collected while one write is done, and
// goes on to the disk meanwhile, so that whoever syncs the whole at the end waits for little. Writes end in any order:
// what is kept after a failure ends where the first of those begins that did not.
import {
  close,
  closeSync,
  constants,
  fdatasync,
  ftruncate,
  openSync,
  write,
  writev,
} from "node:fs";
import { promisify } from "node:util";

export const blockBytes = 4096;
const buffersMax = 256;
/** As many as Node has threads for. */
export const writesAtOnceMax = 4;
const unsyncedBytesMax = 32 * 2 ** 20;

type Done = (error?: Error) => void;

/** What is told once all of its pieces are written. */
interface Chunk {
  piecesLeft: number;
  done: Done;
}

export interface Piece {
  at: number;
  bytes: Buffer;
  /** In memory it lies as in the blocks of the file. */
  isDirect: boolean;
}

interface Write extends Piece {
  chunk: Chunk;
}

/** When all is written that came before it, and nothing that comes after. */
export interface Pause {
  at: number;
  pause: (fd: number) => Promise<void>;
}

const isPause = (one: Piece | Pause): one is Pause => "pause" in one;

/** Undefined where the file system has no such way. */
function openDirect(file: string): number | undefined {
  try {
    return openSync(file, constants.O_WRONLY | constants.O_DIRECT);
  } catch {
    return undefined;
  }
}

export class WritesInFlight {
  readonly #fd: number;
  readonly #direct: number | undefined;
  readonly #waiting: (Write | Pause)[] = [];
  readonly #inFlight = new Set<Write | Pause>();
  #isDirect: boolean;
  #isCollecting = false;
  #failure: Error | undefined;
  /** Where the first began that failed. */
  #failedAt = Infinity;
  #unsyncedBytes = 0;
  #syncing: Promise<void> | undefined;
  #whenIdle: (() => void)[] = [];

  /** The file is there. */
  constructor(file: string, isDirect: boolean) {
    this.#fd = openSync(file, "r+");
    this.#direct = isDirect ? openDirect(file) : undefined;
    this.#isDirect = this.#direct !== undefined;
  }

  get isDirect(): boolean {
    return this.#isDirect;
  }

  /** Before this all is written of what came before `end`. */
  keptBefore(end: number): number {
    const open = [...this.#inFlight, ...this.#waiting];
    return open.reduce((first, { at }) => Math.min(first, at), Math.min(end, this.#failedAt));
  }

  /** The pieces stay as they are until `done` is called; after a failure nothing more is written. */
  add(pieces: (Piece | Pause)[], done: Done) {
    if (this.#failure) return done(this.#failure);
    const chunk: Chunk = { piecesLeft: pieces.filter((one) => !isPause(one)).length, done };
    this.#waiting.push(...pieces.map((one) => (isPause(one) ? one : { ...one, chunk })));
    if (chunk.piecesLeft === 0) done();
    this.#go();
  }

  #go() {
    if (this.#failure) {
      for (const one of this.#waiting.splice(0)) this.#tell(one);
    }
    while (this.#start());
    if (this.#inFlight.size + this.#waiting.length > 0) return;
    for (const tell of this.#whenIdle.splice(0)) tell();
  }

  /** False when it has to wait. */
  #start(): boolean {
    const first = this.#waiting[0];
    const isPaused = [...this.#inFlight].some(isPause);
    if (!first || isPaused || this.#inFlight.size >= writesAtOnceMax) return false;
    if (isPause(first)) {
      if (this.#inFlight.size > 0) return false;
      this.#waiting.shift();
      this.#inFlight.add(first);
      first.pause(this.#fd).then(
        () => this.#ended([first]),
        (error: Error) => this.#ended([first], error),
      );
      return true;
    }
    if (first.isDirect && this.#isDirect) this.#writeDirectly(first);
    else if (this.#isCollecting) return false;
    else this.#writeCollected(first);
    return true;
  }

  #writeDirectly(piece: Write) {
    this.#waiting.shift();
    this.#inFlight.add(piece);
    write(this.#direct!, piece.bytes, 0, piece.bytes.length, piece.at, (error, written) => {
      // Its blocks are larger than ours, or it cannot after all.
      if (error?.code === "EINVAL") this.#isDirect = false;
      else if (error) return this.#ended([piece], error);
      this.#passed([piece], error ? 0 : written);
    });
  }

  #writeCollected(first: Write) {
    const pieces: Write[] = [];
    let end = first.at;
    for (const piece of this.#waiting.slice(0, buffersMax)) {
      const isDirect = !isPause(piece) && piece.isDirect && this.#isDirect;
      if (isPause(piece) || isDirect || piece.at !== end) break;
      end += piece.bytes.length;
      pieces.push(piece);
    }
    this.#waiting.splice(0, pieces.length);
    for (const piece of pieces) this.#inFlight.add(piece);
    this.#isCollecting = true;
    const buffers = pieces.map(({ bytes }) => bytes);
    writev(this.#fd, buffers, first.at, (error, written) => {
      this.#isCollecting = false;
      if (error) return this.#ended(pieces, error);
      this.#syncSome(written);
      this.#passed(pieces, written);
    });
  }

  /** What was not written is written next. */
  #passed(pieces: Write[], written: number) {
    let left = written;
    const ended = pieces.filter(({ bytes }) => {
      const isWhole = left >= bytes.length;
      if (isWhole) left -= bytes.length;
      return isWhole;
    });
    const again = pieces.slice(ended.length);
    const next = again[0];
    if (next) {
      next.at += left;
      next.bytes = next.bytes.subarray(left);
      next.isDirect &&= left % blockBytes === 0;
      for (const piece of again) this.#inFlight.delete(piece);
      this.#waiting.unshift(...again);
    }
    this.#ended(ended);
  }

  #ended(those: (Write | Pause)[], error?: Error) {
    if (error) {
      this.#failure ??= error;
      for (const { at } of those) this.#failedAt = Math.min(this.#failedAt, at);
    }
    for (const one of those) {
      this.#inFlight.delete(one);
      this.#tell(one);
    }
    this.#go();
  }

  #tell(one: Write | Pause) {
    if (this.#failure) this.#failedAt = Math.min(this.#failedAt, one.at);
    if (isPause(one)) return;
    one.chunk.piecesLeft -= 1;
    if (one.chunk.piecesLeft === 0) one.chunk.done(this.#failure);
  }

  #syncSome(bytes: number) {
    this.#unsyncedBytes += bytes;
    if (this.#syncing || this.#unsyncedBytes < unsyncedBytesMax) return;
    this.#unsyncedBytes = 0;
    this.#syncing = promisify(fdatasync)(this.#fd)
      // A disk's failure is told once, and what it was about is not.
      .catch((error: Error) => {
        this.#failure ??= error;
        this.#failedAt = 0;
      })
      .finally(() => (this.#syncing = undefined));
  }

  /** When nothing is on its way any more; the file is then as long as what is kept. Resolves with that. */
  async close(end: number): Promise<number> {
    if (this.#inFlight.size > 0) {
      await new Promise<void>((resolve) => this.#whenIdle.push(resolve));
    }
    await this.#syncing;
    const kept = this.keptBefore(end);
    try {
      await promisify(ftruncate)(this.#fd, kept);
      if (this.#failure) throw this.#failure;
    } finally {
      if (this.#direct !== undefined) closeSync(this.#direct);
      await promisify(close)(this.#fd);
    }
    return kept;
  }
}
