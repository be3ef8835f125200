// An open file, directory or stream of a guest.
import { closeSync, constants, fstatSync, ftruncateSync, openSync, readSync } from "node:fs";
import { fsyncSync, fdatasyncSync, futimesSync, writeSync } from "node:fs";
import type { BigIntStats } from "node:fs";
import { codeOf, FileError } from "./file-error.ts";

export type FileKind = "unknown" | "block" | "character" | "directory" | "regular" | "link";

export function kindOf(stats: Pick<BigIntStats, "isFile">): FileKind {
  const all = stats as BigIntStats;
  if (all.isFile()) return "regular";
  if (all.isDirectory()) return "directory";
  if (all.isSymbolicLink()) return "link";
  if (all.isCharacterDevice()) return "character";
  return all.isBlockDevice() ? "block" : "unknown";
}

const pauseWord = new Int32Array(new SharedArrayBuffer(4));

/** Holds this thread up; a signal that ends the process ends it at once all the same. */
export const pause = (ms: number) => void Atomics.wait(pauseWord, 0, 0, ms);

const busyMs = 1;

export interface OpenMode {
  readable: boolean;
  writable: boolean;
  append?: boolean;
  /** Inside a volume that is mounted read-only. */
  readOnly?: boolean;
  /** Shared with others, who move its position: never anywhere but here. */
  isStream?: boolean;
}

export class OpenFile {
  fd: number;
  readonly kind: FileKind;
  readonly readable: boolean;
  readonly writable: boolean;
  readonly readOnly: boolean;
  readonly isSeekable: boolean;
  append: boolean;
  position = 0n;

  constructor(fd: number, mode: OpenMode) {
    this.fd = fd;
    this.kind = kindOf(fstatSync(fd, { bigint: true }));
    this.readable = mode.readable;
    this.writable = mode.writable;
    this.append = mode.append ?? false;
    this.isSeekable = ["regular", "block"].includes(this.kind) && !mode.isStream;
    this.readOnly = mode.readOnly ?? false;
  }

  stat(): BigIntStats {
    return fstatSync(this.fd, { bigint: true });
  }

  /** 0 at the end. `at`: elsewhere than at the position, which stays. */
  read(into: Uint8Array, at?: bigint): number {
    if (this.kind === "directory") throw new FileError("EISDIR");
    if (!this.readable) throw new FileError("EBADF");
    const from = at ?? (this.isSeekable ? this.position : null);
    if (into.length === 0) return 0;
    const count = this.#read(into, from);
    if (at === undefined) this.position += BigInt(count);
    return count;
  }

  #read(into: Uint8Array, from: bigint | null): number {
    for (;;) {
      try {
        return readSync(this.fd, into, 0, into.length, from);
      } catch (error) {
        // A device that has nothing to say yet; it was opened without waiting for what is behind it.
        const waits = this.kind === "character" && codeOf(error) === "EAGAIN";
        if (!waits) throw error;
        pause(busyMs);
      }
    }
  }

  write(bytes: Uint8Array, at?: bigint): number {
    if (!this.writable) throw new FileError("EBADF");
    const where = at ?? (this.isSeekable && !this.append ? this.position : null);
    const count = this.#write(bytes, where === null ? null : Number(where));
    if (at === undefined) {
      this.position =
        this.append && this.isSeekable ? this.stat().size : this.position + BigInt(count);
    }
    return count;
  }

  #write(bytes: Uint8Array, position: number | null): number {
    for (;;) {
      try {
        return writeSync(this.fd, bytes, 0, bytes.length, position);
      } catch (error) {
        // A pipe that others made non-blocking, whose reader is slow.
        if (codeOf(error) !== "EAGAIN") throw error;
        pause(busyMs);
      }
    }
  }

  /** `whence`: from the start, here or the end. Returns the new position. */
  seek(offset: bigint, whence: "set" | "current" | "end"): bigint {
    if (!this.isSeekable) throw new FileError("ESPIPE");
    // The kernel alone knows how long a device is, and Node does not ask it.
    if (whence === "end" && this.kind === "block") throw new FileError("ENOTSUP");
    const base = { set: 0n, current: this.position, end: whence === "end" ? this.stat().size : 0n };
    const position = base[whence] + offset;
    if (position < 0n) throw new FileError("EINVAL");
    return (this.position = position);
  }

  setAppend(append: boolean) {
    if (append === this.append) return;
    // Node has no fcntl; the same file is opened anew by its descriptor.
    const mode = this.readable ? constants.O_RDWR : constants.O_WRONLY;
    const fd = openSync(`/proc/self/fd/${this.fd}`, mode | (append ? constants.O_APPEND : 0));
    closeSync(this.fd);
    this.fd = fd;
    this.append = append;
  }

  setSize(bytes: bigint) {
    if (!this.writable) throw new FileError("EBADF");
    if (this.kind !== "regular") throw new FileError("EINVAL");
    ftruncateSync(this.fd, Number(bytes));
  }

  setTimes(accessedSeconds: number, modifiedSeconds: number) {
    if (this.readOnly) throw new FileError("EROFS");
    futimesSync(this.fd, accessedSeconds, modifiedSeconds);
  }

  sync(dataOnly: boolean) {
    if (this.kind === "regular" || this.kind === "directory") {
      (dataOnly ? fdatasyncSync : fsyncSync)(this.fd);
    }
  }

  close() {
    closeSync(this.fd);
  }
}
