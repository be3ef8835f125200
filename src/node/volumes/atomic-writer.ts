// Writes a volume's files so that a container sees all of them change at once: the files lie in a folder
// named by its time, `..data` leads to it, and every top-level name leads through `..data`. Renaming the
// link is the commit (kubelet's pkg/volume/util/atomic_writer).
import {
  chmod,
  chown,
  mkdir,
  mkdtemp,
  readFile,
  readdir,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  writeFile,
} from "node:fs/promises";
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

async function same(folder: string, files: Files, fsGroup: number | undefined): Promise<boolean> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  if (entries.filter((entry) => entry.isFile()).length !== files.size) return false;
  for (const [path, file] of files) {
    try {
      const target = join(folder, path);
      if (((await stat(target)).mode & 0o777) !== modeOf(file, fsGroup)) return false;
      if (!(await readFile(target)).equals(file.content)) return false;
    } catch {
      return false;
    }
  }
  return true;
}

async function fill(folder: string, files: Files, fsGroup: number | undefined) {
  for (const [path, file] of files) {
    const { content, uid } = file;
    const target = join(folder, path);
    await mkdir(dirname(target), { recursive: true, mode: 0o755 });
    await writeFile(target, content);
    await chmod(target, modeOf(file, fsGroup));
    if (uid !== undefined || fsGroup !== undefined) await chown(target, uid ?? 0, fsGroup ?? 0);
  }
}

const now = (path: string) => readlink(path).catch(() => undefined);

async function linkNames(folder: string, files: Files) {
  const wanted = new Set([...files.keys()].map((path) => path.split("/")[0]!));
  for (const name of wanted) {
    const link = join(folder, name);
    if ((await now(link)) === undefined) await symlink(join(data, name), link);
  }
  for (const name of await readdir(folder)) {
    if (!name.startsWith("..") && !wanted.has(name)) await rm(join(folder, name), { force: true });
  }
}

/** Makes `folder` hold exactly `files`; does nothing when it does. Resolves with whether it changed. */
export async function writeAtomically(folder: string, files: Files, fsGroup?: number) {
  await mkdir(folder, { recursive: true, mode: 0o755 });
  const before = await now(join(folder, data));
  if (before && (await same(join(folder, before), files, fsGroup).catch(() => false))) return false;
  const fresh = await mkdtemp(join(folder, "..v"));
  await chmod(fresh, 0o755);
  await fill(fresh, files, fsGroup);
  await rm(join(folder, temporary), { force: true });
  await symlink(fresh.slice(folder.length + 1), join(folder, temporary));
  await rename(join(folder, temporary), join(folder, data));
  await linkNames(folder, files);
  if (before) await rm(join(folder, before), { recursive: true, force: true });
  return true;
}
