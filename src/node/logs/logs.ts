// Reads a container's log: the files that rotation put aside, oldest first, then the one in use, and what is
// still to come.
import { watch } from "node:fs";
import type { FSWatcher } from "node:fs";
import { open, readdir } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Clock } from "../../lib/clock.ts";
import type { LogOptions } from "../../lib/node-connection.ts";
import { formatLine, logFilter } from "./log-line.ts";
import type { LogFilter } from "./log-line.ts";

const blockBytes = 65_536;
/** How long a follower waits at most before it looks again. */
const lookMs = 500;
/** Runtimes write lines of 16 KiB. What is longer without an end was written by somebody who should not. */
const lineBytesMax = 2 ** 20;

export interface ReadLog {
  /** Of the file in use; rotated ones lie beside it as `<path>.<time>`. */
  path: string;
  options: LogOptions;
  /** False once nothing more will be written. */
  running: () => Promise<boolean>;
  clock: Clock;
  signal: AbortSignal;
}

/** All files of a log, oldest first. */
export async function logFiles(path: string): Promise<string[]> {
  const name = basename(path);
  const names = await readdir(dirname(path)).catch(() => []);
  const rotated = names.filter((one) => one.startsWith(`${name}.`)).sort();
  return [...rotated, ...names.filter((one) => one === name)].map((one) =>
    join(dirname(path), one),
  );
}

/** Offset at which the last `lines` lines of a file begin, and how many lines were found. */
async function tailStart(file: FileHandle, lines: number) {
  let { size: end } = await file.stat();
  const block = Buffer.alloc(blockBytes);
  let found = 0;
  let isLast = true;
  let lineEnd = end;
  while (end > 0) {
    if (lineEnd - end > lineBytesMax) return { offset: lineEnd, found: lines };
    const length = Math.min(blockBytes, end);
    await file.read(block, 0, length, end - length);
    for (let i = length - 1; i >= 0; i--) {
      if (block[i] !== 0x0a) {
        if (isLast) found = 0;
        isLast = false;
        continue;
      }
      lineEnd = end - length + i + 1;
      if (isLast) isLast = false;
      else if (++found >= lines) return { offset: lineEnd, found };
    }
    end -= length;
  }
  return { offset: 0, found: isLast ? 0 : found + 1 };
}

interface Start {
  path: string;
  offset: number;
}

/** Where to begin, file by file, for `tailLines`. */
async function starts(path: string, tailLines: number | undefined): Promise<Start[]> {
  const files = await logFiles(path);
  if (tailLines === undefined) return files.map((one) => ({ path: one, offset: 0 }));
  const result: Start[] = [];
  let missing = tailLines;
  for (const one of files.reverse()) {
    const file = await open(one);
    try {
      if (missing <= 0) {
        // Only the end of the newest file, for those who follow.
        if (result.length === 0) result.push({ path: one, offset: (await file.stat()).size });
        break;
      }
      const { offset, found } = await tailStart(file, missing);
      result.unshift({ path: one, offset });
      missing -= found;
    } finally {
      await file.close();
    }
  }
  return result;
}

/** Splits what was read into formatted lines; keeps the unfinished rest. */
class Lines {
  #rest: Buffer = Buffer.alloc(0);
  readonly #filter: LogFilter;

  constructor(filter: LogFilter) {
    this.#filter = filter;
  }

  push(chunk: Buffer): Buffer {
    const all = this.#rest.length > 0 ? Buffer.concat([this.#rest, chunk]) : chunk;
    const formatted: Buffer[] = [];
    let begin = 0;
    for (let end = all.indexOf(0x0a); end >= 0; end = all.indexOf(0x0a, begin)) {
      formatted.push(formatLine(all.subarray(begin, end), this.#filter));
      begin = end + 1;
    }
    const rest = all.subarray(begin);
    this.#rest = rest.length > lineBytesMax ? Buffer.alloc(0) : Buffer.from(rest);
    return Buffer.concat(formatted);
  }
}

/** Wakes a follower when the log's folder changed since it last waited, and every while. */
class Changes {
  readonly #log: ReadLog;
  #watcher: FSWatcher | undefined;
  #changed = false;
  #wake = () => {};

  constructor(log: ReadLog) {
    this.#log = log;
    log.signal.addEventListener("abort", this.#tell, { once: true });
    this.#watch();
  }

  readonly #tell = () => {
    this.#changed = true;
    this.#wake();
  };

  #watch() {
    try {
      this.#watcher ??= watch(dirname(this.#log.path), { persistent: false }, this.#tell);
      this.#watcher.on("error", this.#tell);
    } catch {
      // The folder is not there yet; the timer looks again.
    }
  }

  next(): Promise<void> {
    const { clock, signal } = this.#log;
    this.#watch();
    return new Promise((resolve) => {
      const end = () => {
        cancel();
        this.#wake = () => {};
        this.#changed = false;
        resolve();
      };
      const cancel = clock.after(lookMs, end);
      this.#wake = end;
      if (this.#changed || signal.aborted) end();
    });
  }

  close() {
    this.#log.signal.removeEventListener("abort", this.#tell);
    this.#watcher?.close();
  }
}

async function* readOn(
  file: FileHandle,
  at: { offset: number },
  signal?: AbortSignal,
): AsyncGenerator<Buffer> {
  while (!signal?.aborted) {
    const block = Buffer.allocUnsafe(blockBytes);
    const { bytesRead } = await file.read(block, 0, blockBytes, at.offset);
    if (bytesRead === 0) return;
    at.offset += bytesRead;
    yield block.subarray(0, bytesRead);
  }
}

const inode = async (path: string) => {
  const file = await open(path).catch(() => undefined);
  const stat = await file?.stat();
  await file?.close();
  return stat?.ino;
};

/** The bytes of the file in use from `offset` on, through rotations, until nothing more comes. */
async function* follow(log: ReadLog, start: Start | undefined): AsyncGenerator<Buffer> {
  const { path, signal, running } = log;
  let file = start && (await open(path).catch(() => undefined));
  const at = { offset: start?.offset ?? 0 };
  const changes = new Changes(log);
  try {
    while (!signal.aborted) {
      const goesOn = await running();
      if (file) yield* readOn(file, at, signal);
      const current = await inode(path);
      if (current !== undefined && current !== (await file?.stat())?.ino) {
        if (file) yield* readOn(file, at, signal);
        await file?.close();
        file = await open(path);
        at.offset = 0;
        continue;
      }
      if (!goesOn) return;
      await changes.next();
    }
  } finally {
    changes.close();
    await file?.close();
  }
}

async function* contents(log: ReadLog, from: Start[]): AsyncGenerator<Buffer> {
  const { options, path, signal } = log;
  for (const start of from) {
    if (signal.aborted) return;
    if (options.follow && start.path === path) break;
    const file = await open(start.path);
    try {
      yield* readOn(file, { offset: start.offset }, signal);
    } finally {
      await file.close();
    }
  }
  if (options.follow)
    yield* follow(
      log,
      from.find((one) => one.path === path),
    );
}

async function* formatted(log: ReadLog, from: Start[]): AsyncGenerator<Uint8Array> {
  const { options, clock, signal } = log;
  const lines = new Lines(logFilter(options, clock.now()));
  let left = options.limitBytes ?? Infinity;
  for await (const chunk of contents(log, from)) {
    const text = lines.push(chunk);
    if (text.length === 0) continue;
    yield text.subarray(0, Math.min(text.length, left));
    left -= text.length;
    if (left <= 0 || signal.aborted) return;
  }
}

export async function readLog(log: ReadLog): Promise<AsyncIterable<Uint8Array>> {
  return formatted(log, await starts(log.path, log.options.tailLines));
}

/** The text of the last `lines` lines, at most `bytesMax` from their end. */
export async function tailText(path: string, lines: number, bytesMax: number): Promise<string> {
  const filter = new Lines(logFilter({}, 0));
  const chunks: Buffer[] = [];
  for (const { path: one, offset } of await starts(path, lines)) {
    const file = await open(one);
    for await (const chunk of readOn(file, { offset })) chunks.push(filter.push(chunk));
    await file.close();
  }
  const text = Buffer.concat(chunks);
  return text.subarray(Math.max(text.length - bytesMax, 0)).toString();
}
