// wasi:filesystem over the same directories as WASI preview 1: nothing here knows a path of the machine.
import type { BigIntStats } from "node:fs";
import { Directory } from "../files/directory.ts";
import { FileError, codeOf } from "../files/file-error.ts";
import { kindOf } from "../files/open-file.ts";
import type { FileKind, OpenFile } from "../files/open-file.ts";
import type { Preopen } from "../wasi-preview1/guest.ts";
import { refuse } from "./refuse.ts";
import { InputStream, IoError, OutputStream } from "./streams.ts";

/** errno in wasi:filesystem's words. */
const errorCodes: Record<string, string> = {
  EACCES: "access",
  EAGAIN: "would-block",
  EBADF: "bad-descriptor",
  EBUSY: "busy",
  EDQUOT: "quota",
  EEXIST: "exist",
  EFBIG: "file-too-large",
  EILSEQ: "illegal-byte-sequence",
  EINVAL: "invalid",
  EIO: "io",
  EISDIR: "is-directory",
  ELOOP: "loop",
  EMFILE: "insufficient-memory",
  EMLINK: "too-many-links",
  ENAMETOOLONG: "name-too-long",
  ENODEV: "no-device",
  ENOENT: "no-entry",
  ENOMEM: "insufficient-memory",
  ENOSPC: "insufficient-space",
  ENOTCAPABLE: "not-permitted",
  ENOTDIR: "not-directory",
  ENOTEMPTY: "not-empty",
  ENOTSUP: "unsupported",
  ENXIO: "no-such-device",
  EOVERFLOW: "overflow",
  EPERM: "not-permitted",
  EPIPE: "pipe",
  EROFS: "read-only",
  ESPIPE: "invalid-seek",
  ETXTBSY: "text-file-busy",
  EXDEV: "cross-device",
};

/** A failure of a file as the guest takes it: a value and no exception. */
function attempt<T>(work: () => T): T {
  try {
    return work();
  } catch (error) {
    const code = codeOf(error);
    if (code === undefined) throw error;
    refuse(errorCodes[code] ?? "io");
  }
}

const types: Record<FileKind, string> = {
  unknown: "unknown",
  block: "block-device",
  character: "character-device",
  directory: "directory",
  regular: "regular-file",
  link: "symbolic-link",
};

const billion = 1_000_000_000n;
const dateOf = (ns: bigint) => ({ seconds: ns / billion, nanoseconds: Number(ns % billion) });

const statOf = (stats: BigIntStats) => ({
  type: types[kindOf(stats)],
  linkCount: stats.nlink,
  size: stats.size,
  dataAccessTimestamp: dateOf(stats.atimeNs),
  dataModificationTimestamp: dateOf(stats.mtimeNs),
  statusChangeTimestamp: dateOf(stats.ctimeNs),
});

type NewTime = { tag: string; val?: { seconds: bigint; nanoseconds: number } };

function secondsOf(time: NewTime, before: bigint, now: bigint): number {
  if (time.tag === "no-change") return Number(before) / 1e9;
  if (time.tag === "now") return Number(now) / 1e9;
  return Number(time.val!.seconds) + time.val!.nanoseconds / 1e9;
}

const hashOf = ({ dev, ino }: BigIntStats) => {
  const { createHash } = process.getBuiltinModule("node:crypto");
  const digest = createHash("sha256").update(`${dev} ${ino}`).digest();
  return { lower: digest.readBigUInt64LE(0), upper: digest.readBigUInt64LE(8) };
};

class DirectoryEntryStream {
  readonly #entries: { name: string; type: string | undefined }[];

  constructor(directory: Directory) {
    this.#entries = directory
      .entries()
      .map((entry) => ({ name: entry.name, type: types[kindOf(entry as any)] }));
  }

  readDirectoryEntry() {
    return this.#entries.shift();
  }
}

interface PathFlags {
  symlinkFollow?: boolean;
}
interface OpenFlags {
  create?: boolean;
  directory?: boolean;
  exclusive?: boolean;
  truncate?: boolean;
}
interface DescriptorFlags {
  read?: boolean;
  write?: boolean;
  mutateDirectory?: boolean;
}

const follows = ({ symlinkFollow }: PathFlags) => symlinkFollow === true;
const descriptorsMax = 1024;
let open = 0;

export class Descriptor {
  readonly #file: OpenFile;
  readonly #now: () => bigint;

  constructor(file: OpenFile, now: () => bigint) {
    this.#file = file;
    this.#now = now;
    open += 1;
  }

  get #directory(): Directory {
    if (!(this.#file instanceof Directory)) throw new FileError("ENOTDIR");
    return this.#file;
  }

  readViaStream(offset: bigint) {
    const file = this.#file;
    let at = offset;
    return new InputStream({
      read(length) {
        const into = new Uint8Array(length);
        const count = file.read(into, at);
        at += BigInt(count);
        return count === 0 && length > 0 ? undefined : into.subarray(0, count);
      },
    });
  }

  writeViaStream(offset: bigint) {
    const file = this.#file;
    attempt(() => {
      if (!file.writable) throw new FileError("EBADF");
    });
    let at = offset;
    return new OutputStream({
      write(bytes) {
        for (let done = 0; done < bytes.length;) {
          const count = file.write(bytes.subarray(done), at);
          [done, at] = [done + count, at + BigInt(count)];
        }
      },
    });
  }

  appendViaStream() {
    const file = this.#file;
    return new OutputStream({
      write(bytes) {
        for (let done = 0; done < bytes.length;) {
          done += file.write(bytes.subarray(done), file.stat().size);
        }
      },
    });
  }

  advise() {}

  sync() {
    attempt(() => this.#file.sync(false));
  }

  syncData() {
    attempt(() => this.#file.sync(true));
  }

  getFlags(): DescriptorFlags {
    const { readable, writable, readOnly, kind } = this.#file;
    const isDirectory = kind === "directory";
    return { read: readable, write: writable, mutateDirectory: isDirectory && !readOnly };
  }

  getType() {
    return types[this.#file.kind];
  }

  setSize(size: bigint) {
    attempt(() => this.#file.setSize(size));
  }

  setTimes(accessed: NewTime, modified: NewTime) {
    attempt(() => {
      const { atimeNs, mtimeNs } = this.#file.stat();
      const now = this.#now();
      this.#file.setTimes(secondsOf(accessed, atimeNs, now), secondsOf(modified, mtimeNs, now));
    });
  }

  read(length: bigint, offset: bigint): [Uint8Array, boolean] {
    return attempt(() => {
      const into = new Uint8Array(Math.min(Number(length), 1 << 20));
      const count = this.#file.read(into, offset);
      return [into.subarray(0, count), count < into.length];
    });
  }

  write(bytes: Uint8Array, offset: bigint): bigint {
    return attempt(() => BigInt(this.#file.write(bytes, offset)));
  }

  readDirectory() {
    return attempt(() => new DirectoryEntryStream(this.#directory));
  }

  createDirectoryAt(path: string) {
    attempt(() => this.#directory.makeDirectory(path));
  }

  stat() {
    return attempt(() => statOf(this.#file.stat()));
  }

  statAt(flags: PathFlags, path: string) {
    return attempt(() => statOf(this.#directory.statOf(path, follows(flags))));
  }

  setTimesAt(flags: PathFlags, path: string, accessed: NewTime, modified: NewTime) {
    attempt(() => {
      const { atimeNs, mtimeNs } = this.#directory.statOf(path, follows(flags));
      const now = this.#now();
      const times = [secondsOf(accessed, atimeNs, now), secondsOf(modified, mtimeNs, now)] as const;
      this.#directory.setTimesOf(path, follows(flags), ...times);
    });
  }

  linkAt(flags: PathFlags, path: string, target: Descriptor, to: string) {
    attempt(() => this.#directory.link(path, follows(flags), target.#directory, to));
  }

  openAt(path: PathFlags, name: string, how: OpenFlags, flags: DescriptorFlags): Descriptor {
    return attempt(() => {
      if (open >= descriptorsMax) throw new FileError("EMFILE");
      const options = {
        ...how,
        follow: follows(path),
        read: flags.read === true || !flags.write,
        write: flags.write === true,
      };
      if (flags.mutateDirectory && this.#file.readOnly) throw new FileError("EROFS");
      return new Descriptor(this.#directory.open(name, options), this.#now);
    });
  }

  readlinkAt(path: string) {
    return attempt(() => this.#directory.readLink(path));
  }

  removeDirectoryAt(path: string) {
    attempt(() => this.#directory.removeDirectory(path));
  }

  renameAt(path: string, target: Descriptor, to: string) {
    attempt(() => this.#directory.rename(path, target.#directory, to));
  }

  symlinkAt(text: string, path: string) {
    attempt(() => this.#directory.symlink(text, path));
  }

  unlinkFileAt(path: string) {
    attempt(() => this.#directory.unlink(path));
  }

  isSameObject(other: Descriptor): boolean {
    const [a, b] = [this.#file.stat(), other.#file.stat()];
    return a.dev === b.dev && a.ino === b.ino;
  }

  metadataHash() {
    return attempt(() => hashOf(this.#file.stat()));
  }

  metadataHashAt(flags: PathFlags, path: string) {
    return attempt(() => hashOf(this.#directory.statOf(path, follows(flags))));
  }

  [Symbol.dispose]() {
    open -= 1;
    this.#file.close();
  }
}

export function filesystemInterfaces(preopens: Preopen[], now: () => bigint) {
  return {
    "wasi:filesystem/types": {
      Descriptor,
      DirectoryEntryStream,
      filesystemErrorCode: ({ code }: IoError) => code && (errorCodes[code] ?? "io"),
    },
    "wasi:filesystem/preopens": {
      getDirectories: () =>
        preopens.map(({ guest, host, ...limits }) => [
          new Descriptor(Directory.at(host, limits), now),
          guest,
        ]),
    },
  };
}
