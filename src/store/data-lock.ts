// One process per data directory. The lock is the kernel's own (flock) on the directory, which only its owner
// can open: nobody else can take it, it leaves no file, and it ends with the process, however that one ends.
// Node has no call for it, so flock(1) asks for it on a descriptor of this process, whose it stays.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { open } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";

export class DataInUse extends Error {
  constructor(directory: string) {
    super(`${directory} is in use by another process; one Kerb per data directory`);
  }
}

/** What flock(1) ends with when somebody else has the lock. */
const isTaken = 1;

async function askForLock(handle: FileHandle): Promise<number> {
  const asking = spawn("flock", ["--exclusive", "--nonblock", "3"], {
    stdio: ["ignore", "ignore", "ignore", handle.fd],
  });
  const [code, signal] = await once(asking, "close").catch((cause: Error) => {
    throw new Error(`cannot run flock: ${cause.message}; it is in the package util-linux`, {
      cause,
    });
  });
  if (code === null) throw new Error(`flock was ended by ${signal}`);
  return code;
}

/** Resolves with what releases the lock; throws DataInUse. */
export async function lockData(directory: string): Promise<() => Promise<void>> {
  const handle = await open(directory);
  try {
    const code = await askForLock(handle);
    if (code === isTaken) throw new DataInUse(directory);
    if (code !== 0) throw new Error(`${directory} cannot be locked: flock ended with ${code}`);
    return () => handle.close();
  } catch (error) {
    await handle.close();
    throw error;
  }
}
