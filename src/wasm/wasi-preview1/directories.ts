// fd_prestat_*: the directories a guest was given. fd_readdir: what lies in one.
import { lstatSync } from "node:fs";
import type { Dirent } from "node:fs";
import type { Directory } from "../files/directory.ts";
import { FileError } from "../files/file-error.ts";
import { kindOf } from "../files/open-file.ts";
import type { Calls, Host } from "./guest.ts";
import { fileTypes } from "./stats.ts";

interface Entry {
  name: string;
  type: number;
  inode: bigint;
}

const entryBytes = 24;

function inodeOf(directory: Directory, name: string): bigint {
  try {
    return lstatSync(`/proc/self/fd/${directory.fd}/${name}`, { bigint: true }).ino;
  } catch {
    return 0n;
  }
}

function listOf(directory: Directory): Entry[] {
  const own = directory.stat().ino;
  const dots = [".", ".."].map((name) => ({ name, type: fileTypes.directory, inode: own }));
  const entries = directory.entries().map((entry: Dirent) => ({
    name: entry.name,
    type: fileTypes[kindOf(entry as any)],
    inode: inodeOf(directory, entry.name),
  }));
  return [...dots, ...entries];
}

function encode({ name, type, inode }: Entry, next: number): Uint8Array {
  const text = new TextEncoder().encode(name);
  const bytes = new Uint8Array(entryBytes + text.length);
  const view = new DataView(bytes.buffer);
  view.setBigUint64(0, BigInt(next), true);
  view.setBigUint64(8, inode, true);
  view.setUint32(16, text.length, true);
  view.setUint8(20, type);
  bytes.set(text, entryBytes);
  return bytes;
}

export function directoryCalls({ memory, descriptors }: Host): Calls {
  /** As they were when the guest began to read. */
  const lists = new WeakMap<Directory, Entry[]>();
  const preopenOf = (fd: number) => {
    const { preopen } = descriptors.get(fd);
    if (preopen === undefined) throw new FileError("EBADF");
    return new TextEncoder().encode(preopen);
  };
  return {
    fd_prestat_get(fd: number, result: number) {
      const name = preopenOf(fd);
      memory.u32(result, 0);
      memory.u32(result + 4, name.length);
    },
    fd_prestat_dir_name(fd: number, path: number, length: number) {
      const name = preopenOf(fd);
      if (length >>> 0 < name.length) throw new FileError("ENAMETOOLONG");
      memory.bytes(path, name.length).set(name);
    },
    fd_readdir(fd: number, buffer: number, length: number, cookie: bigint, result: number) {
      const directory = descriptors.directory(fd);
      const list = (cookie !== 0n && lists.get(directory)) || listOf(directory);
      lists.set(directory, list);
      const into = memory.bytes(buffer, length);
      let used = 0;
      for (let i = Number(cookie); i < list.length && used < into.length; i++) {
        const bytes = encode(list[i]!, i + 1).subarray(0, into.length - used);
        into.set(bytes, used);
        used += bytes.length;
      }
      memory.u32(result, used);
    },
  };
}
