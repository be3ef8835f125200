// Writes a volume's files so that a container sees all of them change at once: the files lie in a folder
// named by its time, `..data` leads to it, and every top-level name leads through `..data`. Renaming the
// link is the commit (kubelet's pkg/volume/util/atomic_writer).
//
// These are small files in memory: a call of the kernel for each is sooner done than a turn through the pool of threads.
import {
  chmodSync,
  chownSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  readlinkSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

export interface ProjectedFile {
  content: Uint8Array;
  mode: number;
  uid?: number;
}

/** By path within the volume, without `..`. */
export type Files = Map<string, ProjectedFile>;

const data = "..data";
const temporary = "..data_tmp";

/** What a file's mode becomes: the pod's group may read what its owner may. */
const modeOf = ({ mode }: ProjectedFile, fsGroup: number | undefined) =>
  fsGroup === undefined ? mode & 0o777 : (mode & 0o777) | 0o040;

function same(folder: string, files: Files, fsGroup: number | undefined): boolean {
  try {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    if (entries.filter((entry) => entry.isFile()).length !== files.size) return false;
    return [...files].every(([path, file]) => {
      const target = join(folder, path);
      const { mode } = statSync(target);
      return (mode & 0o777) === modeOf(file, fsGroup) && readFileSync(target).equals(file.content);
    });
  } catch {
    return false;
  }
}

function fill(folder: string, files: Files, fsGroup: number | undefined) {
  for (const [path, file] of files) {
    const { content, uid } = file;
    const target = join(folder, path);
    mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
    writeFileSync(target, content);
    chmodSync(target, modeOf(file, fsGroup));
    if (uid !== undefined || fsGroup !== undefined) chownSync(target, uid ?? 0, fsGroup ?? 0);
  }
}

function now(path: string): string | undefined {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
}

function linkNames(folder: string, files: Files) {
  const wanted = new Set([...files.keys()].map((path) => path.split("/")[0]!));
  for (const name of wanted) {
    const link = join(folder, name);
    if (now(link) === undefined) symlinkSync(join(data, name), link);
  }
  for (const name of readdirSync(folder)) {
    if (!name.startsWith("..") && !wanted.has(name)) rmSync(join(folder, name), { force: true });
  }
}

/** Makes `folder` hold exactly `files`; does nothing when it does. True when it changed. */
export function writeAtomically(folder: string, files: Files, fsGroup?: number): boolean {
  mkdirSync(folder, { recursive: true, mode: 0o755 });
  const before = now(join(folder, data));
  if (before && same(join(folder, before), files, fsGroup)) return false;
  const fresh = mkdtempSync(join(folder, "..v"));
  chmodSync(fresh, 0o755);
  fill(fresh, files, fsGroup);
  rmSync(join(folder, temporary), { force: true });
  symlinkSync(fresh.slice(folder.length + 1), join(folder, temporary));
  renameSync(join(folder, temporary), join(folder, data));
  linkNames(folder, files);
  if (before) rmSync(join(folder, before), { recursive: true, force: true });
  return true;
}
