// The guest's descriptors: streams, preopened directories and what it opened itself.
import { Directory } from "../files/directory.ts";
import { FileError } from "../files/file-error.ts";
import type { OpenFile } from "../files/open-file.ts";

export interface Descriptor {
  file: OpenFile;
  /** The guest's name of a preopened directory. */
  preopen?: string;
}

export const descriptorsMax = 1024;

export class Descriptors {
  readonly #all = new Map<number, Descriptor>();

  set(fd: number, descriptor: Descriptor) {
    this.#all.set(fd, descriptor);
  }

  get(fd: number): Descriptor {
    const found = this.#all.get(fd);
    if (!found) throw new FileError("EBADF");
    return found;
  }

  file(fd: number): OpenFile {
    return this.get(fd).file;
  }

  directory(fd: number): Directory {
    const { file } = this.get(fd);
    if (!(file instanceof Directory)) throw new FileError("ENOTDIR");
    return file;
  }

  /** Under the lowest free number. `open` is not called when there is no room. */
  add(open: () => OpenFile): number {
    if (this.#all.size >= descriptorsMax) throw new FileError("EMFILE");
    const file = open();
    let fd = 3;
    while (this.#all.has(fd)) fd += 1;
    this.#all.set(fd, { file });
    return fd;
  }

  close(fd: number) {
    this.get(fd).file.close();
    this.#all.delete(fd);
  }

  renumber(from: number, to: number) {
    const moved = this.get(from);
    this.get(to);
    if (from === to) return;
    this.close(to);
    this.#all.delete(from);
    this.#all.set(to, moved);
  }
}
