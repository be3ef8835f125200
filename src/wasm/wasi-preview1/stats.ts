// What is known of files and descriptors: fdstat, filestat, sizes and times.
import type { BigIntStats } from "node:fs";
import { Directory } from "../files/directory.ts";
import { FileError } from "../files/file-error.ts";
import { kindOf } from "../files/open-file.ts";
import type { FileKind, OpenFile } from "../files/open-file.ts";
import type { GuestMemory } from "./guest-memory.ts";
import type { Calls, Host } from "./guest.ts";

export const fileTypes: Record<FileKind, number> = {
  unknown: 0,
  block: 1,
  character: 2,
  directory: 3,
  regular: 4,
  link: 7,
};

const flagsOf = { append: 1, nonBlocking: 4 };
/** __WASI_RIGHTS_*: all, and those by which libc tells a terminal from a file. */
const allRights = 0x1fffffffn;
const readRight = 1n << 1n;
const writeRight = 1n << 6n;
const seekRights = (1n << 2n) | (1n << 5n);
const followLinks = 1;

function rightsOf(file: OpenFile): bigint {
  if (file instanceof Directory) return allRights & ~seekRights;
  let rights = allRights;
  if (!file.readable) rights &= ~readRight;
  if (!file.writable) rights &= ~writeRight;
  return file.isSeekable ? rights : rights & ~seekRights;
}

function writeFileStat(memory: GuestMemory, at: number, stats: BigIntStats) {
  memory.bytes(at, 64).fill(0);
  memory.u64(at, stats.dev);
  memory.u64(at + 8, stats.ino);
  memory.u8(at + 16, fileTypes[kindOf(stats)]);
  memory.u64(at + 24, stats.nlink);
  memory.u64(at + 32, stats.size);
  memory.u64(at + 40, stats.atimeNs);
  memory.u64(at + 48, stats.mtimeNs);
  memory.u64(at + 56, stats.ctimeNs);
}

const seconds = (nanoseconds: bigint) => Number(nanoseconds) / 1e9;

/** Each time is left, given or now, by two bits. */
function timesOf(now: bigint, stats: BigIntStats, given: [bigint, bigint], flags: number) {
  const one = (set: number, setNow: number, value: bigint, before: bigint) => {
    if (flags & set && flags & setNow) throw new FileError("EINVAL");
    if (flags & setNow) return seconds(now);
    return seconds(flags & set ? BigInt.asUintN(64, value) : before);
  };
  return [one(1, 2, given[0], stats.atimeNs), one(4, 8, given[1], stats.mtimeNs)] as const;
}

export function statCalls({ memory, descriptors, now }: Host): Calls {
  return {
    fd_fdstat_get(fd: number, result: number) {
      const file = descriptors.file(fd);
      memory.bytes(result, 24).fill(0);
      memory.u8(result, fileTypes[file.kind]);
      memory.u16(result + 2, file.append ? flagsOf.append : 0);
      memory.u64(result + 8, rightsOf(file));
      memory.u64(result + 16, file instanceof Directory ? allRights : 0n);
    },
    fd_fdstat_set_flags(fd: number, flags: number) {
      if (flags & ~(flagsOf.append | flagsOf.nonBlocking)) throw new FileError("ENOTSUP");
      const file = descriptors.file(fd);
      if (file.writable && file.isSeekable) file.setAppend((flags & flagsOf.append) !== 0);
    },
    fd_fdstat_set_rights(fd: number) {
      descriptors.file(fd);
    },
    fd_filestat_get(fd: number, result: number) {
      writeFileStat(memory, result, descriptors.file(fd).stat());
    },
    fd_filestat_set_size(fd: number, size: bigint) {
      descriptors.file(fd).setSize(BigInt.asUintN(64, size));
    },
    fd_filestat_set_times(fd: number, accessed: bigint, modified: bigint, flags: number) {
      const file = descriptors.file(fd);
      file.setTimes(...timesOf(now(), file.stat(), [accessed, modified], flags));
    },
    path_filestat_get(fd: number, lookup: number, path: number, length: number, result: number) {
      const follow = (lookup & followLinks) !== 0;
      const stats = descriptors.directory(fd).statOf(memory.text(path, length), follow);
      writeFileStat(memory, result, stats);
    },
    path_filestat_set_times(
      fd: number,
      lookup: number,
      path: number,
      length: number,
      accessed: bigint,
      modified: bigint,
      flags: number,
    ) {
      const follow = (lookup & followLinks) !== 0;
      const directory = descriptors.directory(fd);
      const text = memory.text(path, length);
      const times = timesOf(now(), directory.statOf(text, follow), [accessed, modified], flags);
      directory.setTimesOf(text, follow, ...times);
    },
  };
}
