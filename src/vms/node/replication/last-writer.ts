// By which exports a copy was opened to be written to, written down beside it: whoever wrote by one of them, and
// recorded what changed since then, need not send the rest. Out of reach of QEMU, and about one file: a disk that was
// put in its place is nobody's.
import { open, readFile, rename, rm, stat } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { diskFile } from "../../disks/task.ts";

export interface CopyPlace {
  /** The folder of the copy. */
  folder: string;
  /** Kerb's own, on the same disk. */
  notes: string;
}

export const writersFile = ({ folder, notes }: CopyPlace) =>
  join(notes, `${basename(folder)}.writers`);

async function identityOf({ folder }: CopyPlace): Promise<string> {
  const { ino, birthtimeMs } = await stat(join(folder, diskFile));
  return `${ino} ${birthtimeMs}`;
}

/** Of exports to which nobody came. */
const writersMax = 8;

/** The newest first; none where the copy may have been written to otherwise. */
export async function lastWriters(place: CopyPlace): Promise<string[]> {
  try {
    const { writers, disk } = JSON.parse(await readFile(writersFile(place), "utf8"));
    return disk === (await identityOf(place)) ? writers : [];
  } catch {
    return [];
  }
}

async function sync(path: string) {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/** On the disk when it resolves. */
export async function noteWriters(place: CopyPlace, all: string[]) {
  const writers = all.slice(0, writersMax);
  const file = writersFile(place);
  const handle = await open(`${file}.new`, "w");
  try {
    await handle.writeFile(JSON.stringify({ writers, disk: await identityOf(place) }));
    await handle.sync();
  } finally {
    await handle.close();
  }
  await rename(`${file}.new`, file);
  await sync(dirname(file));
}

/** Others may write to it from now on. */
export async function forgetWriters(place: CopyPlace) {
  await rm(writersFile(place), { force: true });
  await sync(place.notes);
}
