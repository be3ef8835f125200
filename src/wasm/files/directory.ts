// What a guest may do below a directory it was given. Paths are walked by walk.ts.
import {
  closeSync,
  constants,
  fstatSync,
  linkSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  symlinkSync,
  unlinkSync,
  lutimesSync,
} from "node:fs";
import type { BigIntStats, Dirent } from "node:fs";
import { FileError, codeOf } from "./file-error.ts";
import { OpenFile } from "./open-file.ts";
import { pathOf, withPlace } from "./walk.ts";
import type { Place } from "./walk.ts";

export interface OpenOptions {
  follow: boolean;
  read: boolean;
  write: boolean;
  append?: boolean;
  create?: boolean;
  directory?: boolean;
  exclusive?: boolean;
  truncate?: boolean;
}

const has = (bits: boolean | undefined, flag: number) => (bits ? flag : 0);
const newFileMode = 0o666;
const newDirectoryMode = 0o777;

const isPlain = (stats: Kind) => stats.isFile() || stats.isDirectory();
const isDevice = (stats: Kind) => stats.isCharacterDevice() || stats.isBlockDevice();
type Kind = Pick<BigIntStats, "isFile" | "isDirectory" | "isCharacterDevice" | "isBlockDevice">;

/** Opens what is no link, and does not wait for the other end of a pipe. */
function openAt(place: Place, flags: number, mayBeDevice = false): number {
  const fd = openSync(
    pathOf(place),
    flags | constants.O_NOFOLLOW | constants.O_NONBLOCK | constants.O_NOCTTY,
    newFileMode,
  );
  const stats = fstatSync(fd);
  if (isPlain(stats) || (mayBeDevice && isDevice(stats))) return fd;
  closeSync(fd);
  throw new FileError("EACCES");
}

/** Refuses what would wait or do something when it is opened. */
function checkKind(place: Place, mayBeDevice: boolean): BigIntStats | undefined {
  try {
    const stats = lstatSync(pathOf(place), { bigint: true });
    if (isPlain(stats) || (mayBeDevice && isDevice(stats))) return stats;
    throw new FileError(stats.isSymbolicLink() ? "ELOOP" : "EACCES");
  } catch (error) {
    if (codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

export interface DirectoryLimits {
  readOnly: boolean;
  /** Names in it that the guest may have; absent: all. */
  only?: string[];
  /** Names in it that may be devices. */
  devices?: string[];
}

export class Directory extends OpenFile {
  readonly only: ReadonlySet<string> | undefined;
  readonly #devices: ReadonlySet<string>;

  constructor(fd: number, { readOnly, only, devices }: DirectoryLimits) {
    super(fd, { readable: true, writable: false, readOnly });
    if (this.kind !== "directory") throw new FileError("ENOTDIR");
    this.only = only && new Set(only);
    this.#devices = new Set(devices);
  }

  static at(path: string, limits: DirectoryLimits): Directory {
    return new Directory(openSync(path, constants.O_RDONLY | constants.O_DIRECTORY), limits);
  }

  #find<T>(path: string, follow: boolean, use: (place: Place) => T): T {
    const root = { fd: this.fd, ...(this.only && { only: this.only }) };
    return withPlace(root, path, follow, use);
  }

  #change<T>(path: string, follow: boolean, use: (place: Place) => T): T {
    if (this.readOnly) throw new FileError("EROFS");
    return this.#find(path, follow, use);
  }

  open(path: string, options: OpenOptions): OpenFile {
    const { create, exclusive, truncate, write } = options;
    if (this.readOnly && (write || create || truncate)) throw new FileError("EROFS");
    return this.#find(path, options.follow && !exclusive, (place) => this.#openAt(place, options));
  }

  #openAt(place: Place, options: OpenOptions): OpenFile {
    const { read, write, create, exclusive, truncate, append } = options;
    const isOwn = place.parent === this.fd;
    const mayBeDevice = isOwn && this.#devices.has(place.name);
    const stats = checkKind(place, mayBeDevice);
    const mustBeDirectory = options.directory || place.mustBeDirectory;
    if (stats?.isDirectory() && !(create && exclusive)) {
      if (create || truncate || (write && !options.directory)) throw new FileError("EISDIR");
      const fd = openAt(place, constants.O_RDONLY | constants.O_DIRECTORY);
      // The same directory again shows no more than before.
      const isSame = isOwn && place.name === ".";
      const limits = isSame && {
        ...(this.only && { only: [...this.only] }),
        devices: [...this.#devices],
      };
      return new Directory(fd, { readOnly: this.readOnly, ...limits });
    }
    if (mustBeDirectory) throw new FileError(stats ? "ENOTDIR" : "ENOENT");
    const access = write ? (read ? constants.O_RDWR : constants.O_WRONLY) : constants.O_RDONLY;
    const flags =
      access |
      has(create, constants.O_CREAT) |
      has(create && exclusive, constants.O_EXCL) |
      has(append, constants.O_APPEND) |
      has(truncate, constants.O_TRUNC);
    const fd = openAt(place, flags, mayBeDevice);
    const mode = { readable: read, writable: write, readOnly: this.readOnly };
    return new OpenFile(fd, { ...mode, ...(append && { append }) });
  }

  statOf(path: string, follow: boolean): BigIntStats {
    return this.#find(path, follow, (place) => {
      const stats = lstatSync(pathOf(place), { bigint: true });
      if (place.mustBeDirectory && !stats.isDirectory()) throw new FileError("ENOTDIR");
      return stats;
    });
  }

  entries(): Dirent[] {
    const all = readdirSync(`/proc/self/fd/${this.fd}`, { withFileTypes: true });
    return this.only ? all.filter(({ name }) => this.only!.has(name)) : all;
  }

  makeDirectory(path: string) {
    this.#change(path, false, (place) => mkdirSync(pathOf(place), newDirectoryMode));
  }

  removeDirectory(path: string) {
    this.#change(path, false, (place) => {
      if (place.name === ".") throw new FileError("EINVAL");
      rmdirSync(pathOf(place));
    });
  }

  unlink(path: string) {
    this.#change(path, false, (place) => {
      if (place.mustBeDirectory) throw new FileError("ENOTDIR");
      unlinkSync(pathOf(place));
    });
  }

  rename(from: string, target: Directory, to: string) {
    this.#change(from, false, (source) =>
      target.#change(to, false, (place) => renameSync(pathOf(source), pathOf(place))),
    );
  }

  /** Both ends must be writable: a link is a way to change what it points at. */
  link(from: string, follow: boolean, target: Directory, to: string) {
    this.#change(from, follow, (source) =>
      target.#change(to, false, (place) => linkSync(pathOf(source), pathOf(place))),
    );
  }

  /** Links that lead out by name are refused, since others who mount the volume would follow them. */
  symlink(text: string, path: string) {
    if (text.startsWith("/")) throw new FileError("ENOTCAPABLE");
    this.#change(path, false, (place) => symlinkSync(text, pathOf(place)));
  }

  readLink(path: string): string {
    return this.#find(path, false, (place) => readlinkSync(pathOf(place)));
  }

  setTimesOf(path: string, follow: boolean, accessedSeconds: number, modifiedSeconds: number) {
    this.#change(path, follow, (place) =>
      lutimesSync(pathOf(place), accessedSeconds, modifiedSeconds),
    );
  }
}
