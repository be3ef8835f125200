// path_*: everything that names a file below an open directory.
import type { Calls, Host } from "./guest.ts";

const followLinks = 1;
const openFlags = { create: 1, directory: 2, exclusive: 4, truncate: 8 };
const appendFlag = 1;
const readRight = 1n << 1n;
const writeRights = (1n << 6n) | (1n << 8n) | (1n << 22n);

function openCall({ memory, descriptors }: Host): Calls {
  return {
    path_open(
      fd: number,
      lookup: number,
      path: number,
      length: number,
      flags: number,
      rights: bigint,
      _inheriting: bigint,
      descriptorFlags: number,
      result: number,
    ) {
      const directory = descriptors.directory(fd);
      const text = memory.text(path, length);
      const options = {
        follow: (lookup & followLinks) !== 0,
        read: (rights & readRight) !== 0n,
        write: (rights & writeRights) !== 0n,
        append: (descriptorFlags & appendFlag) !== 0,
        create: (flags & openFlags.create) !== 0,
        directory: (flags & openFlags.directory) !== 0,
        exclusive: (flags & openFlags.exclusive) !== 0,
        truncate: (flags & openFlags.truncate) !== 0,
      };
      memory.u32(
        result,
        descriptors.add(() => directory.open(text, options)),
      );
    },
  };
}

export function pathCalls(host: Host): Calls {
  const { memory, descriptors } = host;
  const text = (path: number, length: number) => memory.text(path, length);
  return {
    ...openCall(host),
    path_create_directory: (fd: number, path: number, length: number) =>
      descriptors.directory(fd).makeDirectory(text(path, length)),
    path_remove_directory: (fd: number, path: number, length: number) =>
      descriptors.directory(fd).removeDirectory(text(path, length)),
    path_unlink_file: (fd: number, path: number, length: number) =>
      descriptors.directory(fd).unlink(text(path, length)),
    path_symlink(target: number, targetLength: number, fd: number, path: number, length: number) {
      descriptors.directory(fd).symlink(text(target, targetLength), text(path, length));
    },
    path_readlink(
      fd: number,
      path: number,
      length: number,
      buffer: number,
      bufferLength: number,
      result: number,
    ) {
      const link = new TextEncoder().encode(descriptors.directory(fd).readLink(text(path, length)));
      const part = link.subarray(0, bufferLength >>> 0);
      memory.bytes(buffer, part.length).set(part);
      memory.u32(result, part.length);
    },
    path_rename(
      fd: number,
      from: number,
      fromLength: number,
      newFd: number,
      to: number,
      toLength: number,
    ) {
      const target = descriptors.directory(newFd);
      descriptors.directory(fd).rename(text(from, fromLength), target, text(to, toLength));
    },
    path_link(
      fd: number,
      lookup: number,
      from: number,
      fromLength: number,
      newFd: number,
      to: number,
      toLength: number,
    ) {
      const target = descriptors.directory(newFd);
      const follow = (lookup & followLinks) !== 0;
      descriptors.directory(fd).link(text(from, fromLength), follow, target, text(to, toLength));
    },
  };
}
