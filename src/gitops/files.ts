// A tree of files that came from a source: what it is called, and what is in it. Pure.
import { DamagedTar, untar } from "./untar.ts";

export type Files = ReadonlyMap<string, Uint8Array>;

/** Of all files together: what is applied is manifests. */
export const treeBytesMax = 16 * 2 ** 20;
export const treeFilesMax = 5000;

/** Files of a tar archive by their paths; links and what leads outside are left out. */
export function filesOf(archive: Uint8Array): Files {
  const files = new Map<string, Uint8Array>();
  let bytes = 0;
  for (const { path, data } of untar(archive)) {
    const name = normalize(path);
    if (name === undefined || name === "") continue;
    bytes += data.length;
    if (bytes > treeBytesMax || files.size >= treeFilesMax) {
      throw new DamagedTar(`more than ${treeBytesMax} bytes or ${treeFilesMax} files`);
    }
    files.set(name, data);
  }
  return files;
}

/** `a/b` of `./a/c/../b`; undefined for what leads outside. */
export function normalize(path: string): string | undefined {
  const parts: string[] = [];
  for (const part of path.split("/")) {
    if (part === "" || part === ".") continue;
    if (part !== "..") parts.push(part);
    else if (parts.pop() === undefined) return undefined;
  }
  return parts.join("/");
}

/** `relative` as seen from the folder `from`. */
export const resolve = (from: string, relative: string) =>
  relative.startsWith("/") ? undefined : normalize(`${from}/${relative}`);
