// wasi:io/streams and wasi:io/error. A stream is a source or a sink of bytes; the rest is the same for all.
import { codeOf } from "../files/file-error.ts";
import { Pollable, readyNow } from "./poll.ts";
import type { PollableState } from "./poll.ts";
import { refuse } from "./refuse.ts";

export class IoError {
  readonly message: string;
  /** errno's name, where a file system said no. */
  readonly code: string | undefined;

  constructor(message: string, code?: string) {
    this.message = message;
    this.code = code;
  }

  toDebugString() {
    return this.message;
  }
}

/** What a guest is told in place of an exception: a value of the type stream-error. */
export const closed = { tag: "closed" };

function failed(error: unknown): object {
  if (error === closed) return closed;
  const code = codeOf(error);
  if (code === undefined && !(error instanceof IoError)) throw error;
  if (code === "EPIPE") return closed;
  const val = error instanceof IoError ? error : new IoError((error as Error).message, code);
  return { tag: "last-operation-failed", val };
}

function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    refuse(failed(error));
  }
}

const chunkBytesMax = 65_536;

export interface Source {
  /** At most so many bytes: none while there are none, undefined at the end. */
  read(length: number): Uint8Array | undefined;
  /** Whether there is something to read, be it the end. Absent: always, or `read` waits itself. */
  readiness?: PollableState;
  close?(): void;
}

export class InputStream {
  readonly #source: Source;

  constructor(source: Source) {
    this.#source = source;
  }

  read(length: bigint): Uint8Array {
    const size = Number(length < BigInt(chunkBytesMax) ? length : BigInt(chunkBytesMax));
    return attempt(() => this.#source.read(size) ?? refuse(closed));
  }

  /** As all that blocks: whoever calls it has waited before (suspension.ts). */
  blockingRead(length: bigint) {
    return this.read(length);
  }

  skip(length: bigint): bigint {
    return BigInt(this.read(length).length);
  }

  blockingSkip(length: bigint): bigint {
    return BigInt(this.blockingRead(length).length);
  }

  subscribe() {
    return this.#source.readiness ? new Pollable(this.#source.readiness) : readyNow();
  }

  [Symbol.dispose]() {
    this.#source.close?.();
  }
}

export interface Sink {
  /** Takes all of it. */
  write(bytes: Uint8Array): void;
  /** How much may be written now; absent: as much as ever. */
  room?: () => number;
  /** Whether there is room. */
  readiness?: PollableState;
  /** Whether all is gone that was written. */
  drained?: PollableState;
  close?(): void;
}

const roomBytesMax = 1 << 20;

export class OutputStream {
  readonly #sink: Sink;

  constructor(sink: Sink) {
    this.#sink = sink;
  }

  checkWrite(): bigint {
    return attempt(() => BigInt(this.#sink.room ? this.#sink.room() : roomBytesMax));
  }

  write(bytes: Uint8Array) {
    attempt(() => this.#sink.write(bytes));
  }

  blockingWriteAndFlush(bytes: Uint8Array) {
    this.write(bytes);
  }

  /** What was written is on its way at once. */
  flush() {
    this.checkWrite();
  }

  blockingFlush() {
    this.flush();
  }

  drained() {
    return this.#sink.drained ? new Pollable(this.#sink.drained) : readyNow();
  }

  writeZeroes(length: bigint) {
    this.write(new Uint8Array(Number(length)));
  }

  blockingWriteZeroesAndFlush(length: bigint) {
    this.blockingWriteAndFlush(new Uint8Array(Number(length)));
  }

  splice(from: InputStream, length: bigint): bigint {
    const bytes = from.read(length);
    this.write(bytes);
    return BigInt(bytes.length);
  }

  blockingSplice(from: InputStream, length: bigint): bigint {
    const bytes = from.blockingRead(length);
    this.blockingWriteAndFlush(bytes);
    return BigInt(bytes.length);
  }

  subscribe() {
    return this.#sink.readiness ? new Pollable(this.#sink.readiness) : readyNow();
  }

  [Symbol.dispose]() {
    this.#sink.close?.();
  }
}
