// What a module says, as lines of its container's log (CRI's format), written by the process that runs it: nobody
// stands between it and the file. The log is opened by its name, and again when another file has that name, so whoever
// puts a full log aside only makes a new one.
import { closeSync, openSync, statSync, writeSync } from "node:fs";
import { OpenFile } from "./open-file.ts";

export type StreamName = "stdout" | "stderr";

/** Longer lines are written in pieces. */
const lineBytesMax = 16_384;
/** After so much it looks whether the file is still the log. */
const lookEveryBytes = 65_536;
const newline = 0x0a;

export interface LogOptions {
  path: string;
  /** Milliseconds since 1970. */
  now: () => number;
  /** Calls back once the guest lets others act; absent for guests that never do. */
  soon?: (run: () => void) => void;
}

/** Lines of one write: whole ones, and what is left of the last. Pure. */
export function linesOf(bytes: Uint8Array): { whole: Uint8Array[]; rest: Uint8Array } {
  const whole: Uint8Array[] = [];
  let from = 0;
  for (let at = bytes.indexOf(newline); at >= 0; at = bytes.indexOf(newline, from)) {
    whole.push(bytes.subarray(from, at));
    from = at + 1;
  }
  return { whole, rest: bytes.subarray(from) };
}

/** One line of a log, or several where it is too long. Pure. */
export function entriesOf(line: Uint8Array, prefix: string, isWhole: boolean): Buffer[] {
  const entries: Buffer[] = [];
  const last = Math.max(Math.ceil(line.length / lineBytesMax), 1) - 1;
  for (let i = 0; i <= last; i++) {
    const tag = i === last && isWhole ? "F" : "P";
    const piece = line.subarray(i * lineBytesMax, (i + 1) * lineBytesMax);
    entries.push(Buffer.from(`${prefix} ${tag} `), Buffer.from(piece), Buffer.from("\n"));
  }
  return entries;
}

export class ContainerLog {
  readonly #options: LogOptions;
  #fd: number;
  #inode: bigint;
  #sinceLook = 0;
  #isAwaited = false;
  readonly #begun: Record<StreamName, Buffer> = {
    stdout: Buffer.alloc(0),
    stderr: Buffer.alloc(0),
  };

  constructor(options: LogOptions) {
    this.#options = options;
    this.#fd = openSync(options.path, "a");
    this.#inode = statSync(options.path, { bigint: true }).ino;
  }

  write(stream: StreamName, bytes: Uint8Array) {
    const { whole, rest } = linesOf(bytes);
    const begun = this.#begun[stream];
    if (whole.length > 0) {
      const [first, ...others] = whole;
      const lines = [begun.length > 0 ? Buffer.concat([begun, first!]) : first!, ...others];
      this.#begun[stream] = Buffer.from(rest);
      this.#put(lines.flatMap((line) => entriesOf(line, this.#prefix(stream), true)));
    } else if (rest.length > 0) this.#begun[stream] = Buffer.concat([begun, rest]);
    if (this.#begun[stream].length > lineBytesMax) this.#flush(stream);
    if (this.#begun[stream].length > 0) this.#await();
  }

  #await() {
    const { soon } = this.#options;
    if (!soon || this.#isAwaited) return;
    this.#isAwaited = true;
    soon(() => {
      this.#isAwaited = false;
      this.flush();
    });
  }

  /** What was said without a newline, before nobody knows how long a wait. */
  flush() {
    this.#flush("stdout");
    this.#flush("stderr");
  }

  #flush(stream: StreamName) {
    const begun = this.#begun[stream];
    if (begun.length === 0) return;
    this.#begun[stream] = Buffer.alloc(0);
    this.#put(entriesOf(begun, this.#prefix(stream), false));
  }

  #prefix(stream: StreamName) {
    const time = new Date(this.#options.now()).toISOString();
    return `${time.slice(0, -1)}000000Z ${stream}`;
  }

  #put(entries: Buffer[]) {
    const bytes = Buffer.concat(entries);
    if ((this.#sinceLook += bytes.length) > lookEveryBytes) this.#look();
    for (let at = 0; at < bytes.length;) at += writeSync(this.#fd, bytes, at);
  }

  #look() {
    this.#sinceLook = 0;
    const { ino } = statSync(this.#options.path, { bigint: true });
    if (ino === this.#inode) return;
    closeSync(this.#fd);
    this.#fd = openSync(this.#options.path, "a");
    this.#inode = ino;
  }
}

/** A stream of a guest that goes to the log; to the guest it is a pipe, as the file at `fd` is. */
export class LogStream extends OpenFile {
  readonly #log: ContainerLog;
  readonly #stream: StreamName;

  constructor(fd: number, log: ContainerLog, stream: StreamName) {
    super(fd, { readable: false, writable: true, isStream: true });
    this.#log = log;
    this.#stream = stream;
  }

  override write(bytes: Uint8Array): number {
    this.#log.write(this.#stream, bytes);
    return bytes.length;
  }

  override setAppend(append: boolean) {
    this.append = append;
  }

  override close() {}
}
