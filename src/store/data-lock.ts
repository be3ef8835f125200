// One process per data directory. An abstract socket named after the directory is the lock: the kernel
// gives it to one process and takes it back when that one ends, however it ends.
import { createHash } from "node:crypto";
import { realpathSync } from "node:fs";
import { createServer } from "node:net";

export class DataInUse extends Error {
  constructor(directory: string) {
    super(`${directory} is in use by another process; one Kerb per data directory`);
  }
}

/** Resolves with what releases the lock; throws DataInUse. */
export async function lockData(directory: string): Promise<() => Promise<void>> {
  const name = createHash("sha256").update(realpathSync(directory)).digest("hex").slice(0, 32);
  const server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) =>
      reject(error.code === "EADDRINUSE" ? new DataInUse(directory) : error),
    );
    server.listen(`\0kerb-data-${name}`, resolve);
  });
  server.unref();
  return () => new Promise((resolve) => server.close(() => resolve()));
}
