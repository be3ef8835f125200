// A store made anew from objects that another one had. Its revision begins far behind the last that the other may
// have given since, and all before it is history that is forgotten: whoever watched lists anew, and no
// revision is ever given twice.
import { mkdirSync } from "node:fs";
import type { Backend } from "./backend.ts";
import { LmdbBackend } from "./lmdb-backend.ts";
import { format, mapBytesDefault } from "./lmdb.ts";
import type { Entry } from "./store.ts";

/** More than a store can give between a backup and its loss. */
export const revisionsSkipped = 1_000_000_000;
const batchObjects = 500;

export interface ImportOptions {
  /** At which the objects stood so. */
  revision: number;
  transform?: (durable: Backend) => Backend;
}

/** `directory` must not be there yet. Throws StoreFull. */
export async function importLmdbStore(
  directory: string,
  entries: AsyncIterable<Entry>,
  { revision, transform }: ImportOptions,
): Promise<void> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const tree = new LmdbBackend(directory, mapBytesDefault);
  const durable = transform ? transform(tree) : tree;
  try {
    await tree.setFormat(format);
    let batch: Entry[] = [];
    const flush = async () => {
      const changes = batch.map((entry) => ({ ...entry, type: "create" as const, previous: 0 }));
      batch = [];
      await durable.commit({ changes });
    };
    for await (const entry of entries) {
      if (batch.push(entry) >= batchObjects) await flush();
    }
    await flush();
    const ceiling = revision + revisionsSkipped;
    await durable.commit({ compacted: ceiling, facts: { ceiling, volatile: [] } });
  } finally {
    await durable.close();
  }
}
