// Takes a file's room on the disk before what fills it comes: file systems let writes side by side that find their place
// taken, while those that have to take it wait for each other. Zeros are to take no room, so it is taken only while
// none come, and given back where some do.
import { ftruncate } from "node:fs";
import { promisify } from "node:util";
import { runCommand } from "../../lib/run-command.ts";
import type { Pause } from "./writes-in-flight.ts";

/** The program that takes room for what is not written yet. */
export const fallocate = "/usr/bin/fallocate";

const mebibyte = 2 ** 20;
/** So much without zeros promises more. */
const denseBytesMin = 8 * mebibyte;
const stretchBytes = 512 * mebibyte;
/** The next stretch is taken while so much of the last is left. */
const leftBytesMin = 64 * mebibyte;

export class RoomAhead {
  readonly #file: string;
  readonly #bytes: number;
  #denseFrom: number;
  /** Of what is taken. */
  #end = 0;
  #taking: Promise<void> | undefined;
  #isRefused = false;

  /** `bytes` is how long the file becomes, and `start` where what comes begins. */
  constructor(file: string, { start, bytes }: { start: number; bytes: number }) {
    this.#file = file;
    this.#bytes = bytes;
    this.#denseFrom = start;
  }

  /** Without a hole since the last one, all up to `at` came. */
  came(at: number) {
    const from = Math.max(at, this.#end);
    const isEnough = at - this.#denseFrom < denseBytesMin || this.#end - at >= leftBytesMin;
    if (this.#taking || this.#isRefused || isEnough || from >= this.#bytes) return;
    const end = Math.min(from + stretchBytes, this.#bytes);
    const args = ["--offset", String(from), "--length", String(end - from), this.#file];
    this.#taking = runCommand(fallocate, args).then(
      () => this.#tookUpTo(end),
      // The disk is full, or has no such way; whoever writes is told.
      () => {
        this.#isRefused = true;
        this.#tookUpTo(end);
      },
    );
  }

  #tookUpTo(end: number) {
    this.#end = end;
    this.#taking = undefined;
  }

  /** A hole comes. What was taken from `start` on is given back before anything is written after it. */
  hole(start: number, end: number): Pause[] {
    this.#denseFrom = end;
    if (!this.#taking && this.#end <= start) return [];
    const pause = async (fd: number) => {
      await this.#taking;
      await promisify(ftruncate)(fd, start);
      this.#end = 0;
    };
    return [{ at: start, pause }];
  }

  /** Nothing is taken any more. */
  async settled() {
    this.#isRefused = true;
    await this.#taking;
  }
}
