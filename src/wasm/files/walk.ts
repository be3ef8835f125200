// Finds a path below a directory without ever leaving it. Each component is opened by itself, from the
// descriptor of the one before (through /proc/self/fd) and never through a link: links are read as text and
// walked again from where they stand. So it does not matter who renames, plants or swaps what meanwhile:
// every step starts at a directory that was inside.
import { closeSync, constants, openSync, readlinkSync } from "node:fs";
import { FileError, codeOf } from "./file-error.ts";

export interface Root {
  /** An open directory. */
  fd: number;
  /** Names that are there; absent: all. */
  only?: ReadonlySet<string>;
}

export interface Place {
  /** The directory that holds it, open. */
  parent: number;
  /** One component, or "." for the directory itself. */
  name: string;
  mustBeDirectory: boolean;
}

const linksMax = 40;
const pathCharactersMax = 4096;
/** Directories that a path may be inside at once; each is open meanwhile. */
const depthMax = 256;
/** Not among Node's constants. */
const openPath = 0o10000000;
const intoDirectory = openPath | constants.O_NOFOLLOW | constants.O_DIRECTORY | constants.O_RDONLY;

/** The place as the kernel is told of it: only its last part is looked up, from an open directory. */
export const pathOf = ({ parent, name }: Pick<Place, "parent" | "name">) =>
  `/proc/self/fd/${parent}/${name}`;

/** What a link says; undefined where there is no link. */
function linkAt(parent: number, name: string): string | undefined {
  try {
    return readlinkSync(pathOf({ parent, name }));
  } catch (error) {
    if (codeOf(error) === "EINVAL" || codeOf(error) === "ENOENT") return undefined;
    throw error;
  }
}

const partsOf = (path: string) => path.split("/").filter((part) => part !== "" && part !== ".");

class Walk {
  readonly #root: Root;
  readonly #inside: number[] = [];
  #links = 0;

  constructor(root: Root) {
    this.#root = root;
  }

  get #here() {
    return this.#inside.at(-1) ?? this.#root.fd;
  }

  #check(name: string) {
    const { only } = this.#root;
    if (only && this.#inside.length === 0 && !only.has(name)) throw new FileError("ENOENT");
  }

  #leave() {
    const fd = this.#inside.pop();
    if (fd === undefined) throw new FileError("ENOTCAPABLE");
    closeSync(fd);
  }

  /** The parts that a link stands for; undefined where there is none. */
  #follow(name: string): string[] | undefined {
    const target = linkAt(this.#here, name);
    if (target === undefined) return undefined;
    if (++this.#links > linksMax) throw new FileError("ELOOP");
    if (target.startsWith("/")) throw new FileError("ENOTCAPABLE");
    return partsOf(target);
  }

  /** Goes into a directory; what a link there stands for is to be walked instead. */
  #enter(name: string): string[] {
    this.#check(name);
    if (this.#inside.length >= depthMax) throw new FileError("ENAMETOOLONG");
    try {
      this.#inside.push(openSync(pathOf({ parent: this.#here, name }), intoDirectory));
      return [];
    } catch (error) {
      if (codeOf(error) !== "ENOTDIR" && codeOf(error) !== "ELOOP") throw error;
      const instead = this.#follow(name);
      if (!instead) throw error;
      return instead;
    }
  }

  to(path: string, follow: boolean): Place {
    if (path === "") throw new FileError("ENOENT");
    if (path.length > pathCharactersMax) throw new FileError("ENAMETOOLONG");
    if (path.startsWith("/")) throw new FileError("ENOTCAPABLE");
    const mustBeDirectory = path.endsWith("/");
    const parts = partsOf(path);
    for (;;) {
      const part = parts.shift();
      if (part === undefined) return { parent: this.#here, name: ".", mustBeDirectory: true };
      if (part === "..") {
        this.#leave();
        continue;
      }
      if (parts.length > 0) {
        parts.unshift(...this.#enter(part));
        continue;
      }
      this.#check(part);
      const instead = follow || mustBeDirectory ? this.#follow(part) : undefined;
      if (!instead) return { parent: this.#here, name: part, mustBeDirectory };
      parts.unshift(...instead);
    }
  }

  end() {
    for (const fd of this.#inside) closeSync(fd);
  }
}

/** `path` as text from a guest. A last link is followed only with `follow`. Throws FileErrors. */
export function withPlace<T>(
  root: Root,
  path: string,
  follow: boolean,
  use: (place: Place) => T,
): T {
  const walk = new Walk(root);
  try {
    return use(walk.to(path, follow));
  } finally {
    walk.end();
  }
}
