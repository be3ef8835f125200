// The kernel's own log, line by line as it comes. Where it cannot be read, it says nothing.
import { closeSync, constants, openSync, readSync } from "node:fs";

/** The kernel hands out a record at a time, and refuses a smaller buffer. */
const recordBytesMax = 8192;
const recordsMax = 20_000;

export interface KernelLog {
  /** What was said since the last time. */
  lines(): string[];
  close(): void;
}

/** `6,339,5140900,-;text`, with continuations below. Pure. */
export const recordText = (record: string) =>
  record.slice(record.indexOf(";") + 1).split("\n", 1)[0] ?? "";

export function openKernelLog(path = "/dev/kmsg"): KernelLog {
  let file: number;
  try {
    file = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch {
    return { lines: () => [], close: () => {} };
  }
  const buffer = Buffer.alloc(recordBytesMax);
  const read = (take: (size: number) => void) => {
    for (let i = 0; i < recordsMax; i++) {
      try {
        const size = readSync(file, buffer);
        if (size === 0) break;
        take(size);
      } catch (error) {
        // EPIPE: records were overwritten before they were read.
        if ((error as NodeJS.ErrnoException).code !== "EPIPE") break;
      }
    }
  };
  const lines = () => {
    const found: string[] = [];
    read((size) => found.push(recordText(buffer.toString("utf8", 0, size))));
    return found;
  };
  // What was said before is nobody's.
  read(() => {});
  return { lines, close: () => closeSync(file) };
}
