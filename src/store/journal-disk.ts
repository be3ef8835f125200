// A file of fixed size that is written in place: nothing but the bytes has to reach the disk, where a file
// that grows also costs a write of its size.
import { constants, write } from "node:fs";
import { open } from "node:fs/promises";
import { dirname } from "node:path";

export interface JournalDisk {
  /** How much it holds. */
  readonly bytes: number;
  read(): Promise<Buffer>;
  /** On disk when it resolves. */
  write(bytes: Uint8Array, at: number): Promise<void>;
  close(): Promise<void>;
}

async function syncDirectory(path: string) {
  const handle = await open(dirname(path), constants.O_RDONLY);
  await handle.sync().finally(() => handle.close());
}

/** Makes the file whole; one that is shorter was never used. */
async function allocate(path: string, bytes: number) {
  const handle = await open(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  try {
    if ((await handle.stat()).size === bytes) return;
    await handle.truncate(0);
    await handle.writeFile(Buffer.alloc(bytes));
    await handle.sync();
  } catch (error) {
    await handle.truncate(0);
    throw error;
  } finally {
    await handle.close();
  }
  await syncDirectory(path);
}

/** Opens or makes the journal file at `path`. Throws what the file system throws. */
export async function openJournalDisk(path: string, bytes: number): Promise<JournalDisk> {
  await allocate(path, bytes);
  // With O_DSYNC writing and syncing are one call, thus one turn through the thread pool.
  const handle = await open(path, constants.O_RDWR | constants.O_DSYNC);
  return {
    bytes,
    async read() {
      const all = Buffer.alloc(bytes);
      await handle.read(all, 0, bytes, 0);
      return all;
    },
    // Promises of a FileHandle cost more than the call itself.
    write: (from, at) =>
      new Promise((resolve, reject) => {
        write(handle.fd, from, 0, from.length, at, (error, written) => {
          if (error) reject(error);
          else if (written < from.length) reject(new Error(`wrote ${written} of ${from.length}`));
          else resolve();
        });
      }),
    close: () => handle.close(),
  };
}

/** Holds nothing. */
export const noJournalDisk: JournalDisk = {
  bytes: 0,
  read: () => Promise.resolve(Buffer.alloc(0)),
  write: () => Promise.reject(new Error("there is no journal")),
  close: () => Promise.resolve(),
};
