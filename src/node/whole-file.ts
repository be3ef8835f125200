// Small files of the node that are there as a whole or not at all, whenever the power goes: what is new is on
// disk under another name before it takes the old one's place, and the folder is synced after.
import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** What is needed of a disk. Absent methods of tests lose what was not synced. */
export interface DiskWriter {
  makeFolder(path: string): Promise<void>;
  /** Resolves when the content is on disk. */
  writeSynced(path: string, text: string): Promise<void>;
  rename(from: string, to: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
}

async function syncFolder(path: string) {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

export const systemDisk: DiskWriter = {
  makeFolder: async (path) => void (await mkdir(path, { recursive: true, mode: 0o700 })),
  async writeSynced(path, text) {
    const file = await open(path, "w", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
  },
  rename,
  syncFolder,
};

export async function writeWhole(path: string, text: string, disk: DiskWriter = systemDisk) {
  const folder = dirname(path);
  await disk.makeFolder(folder);
  await disk.writeSynced(`${path}.new`, text);
  await disk.rename(`${path}.new`, path);
  await disk.syncFolder(folder);
}
