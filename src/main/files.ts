// Small files that must be whole or not there at all.
import {
  closeSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
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
