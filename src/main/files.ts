// Small files that must be whole or not there at all.
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { PkiStorage } from "../server/auth/authority.ts";

/** Replaces a file as a whole, readable by its owner only, on disk when it returns. */
export function replaceFile(path: string, text: string) {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 });
  const file = openSync(`${path}.new`, "w", 0o600);
  try {
    writeSync(file, text);
    fsyncSync(file);
  } finally {
    closeSync(file);
  }
  renameSync(`${path}.new`, path);
}

/** For its owner only. One by one: in /proc and its like Node's own recursion never ends. */
function makeDirectory(path: string) {
  try {
    mkdirSync(path, { mode: 0o700 });
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === "EEXIST" && statSync(path).isDirectory()) return;
    if (code !== "ENOENT" || existsSync(dirname(path))) {
      const why = code === "EEXIST" ? "it is a file" : (error as Error).message;
      throw new Error(`no folder can be made at ${path}: ${why}`, { cause: error });
    }
    makeDirectory(dirname(path));
    makeDirectory(path);
  }
}

/** The folder that holds a site, for its owner alone: the Secrets of pods are mounted below it. */
export function ownDirectory(path: string) {
  makeDirectory(path);
  if ((statSync(path).mode & 0o077) === 0) return;
  // A disk that was mounted there has one folder from the start.
  const others = readdirSync(path).filter((name) => name !== "lost+found");
  if (!existsSync(join(path, "site.json")) && others.length > 0) {
    throw new Error(
      `${path} is open to others and holds other files; choose another --data-dir, or: chmod 700 ${path}`,
    );
  }
  chmodSync(path, 0o700);
}

export function readIfThere(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** None where there is no such folder. */
export function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw error;
  }
}

export const removeFile = (path: string) => rmSync(path, { force: true });

export const pkiFiles = (directory: string): PkiStorage => ({
  read: async (name) => readIfThere(join(directory, name)),
  write: async (name, data) => replaceFile(join(directory, name), data),
});
