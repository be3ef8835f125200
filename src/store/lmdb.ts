// The durable store of one site: a LogStore over LMDB, with what is volatile in memory and saved seldom.
import { mkdirSync } from "node:fs";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import { lockData } from "./data-lock.ts";
import { LmdbBackend } from "./lmdb-backend.ts";
import { LogStore } from "./log-store.ts";
import { MemoryBackend } from "./memory.ts";
import type { Store } from "./store.ts";

const format = 1;
const mapBytesDefault = 256 * 2 ** 20;
const volatileFlushMs = 10 * 60_000;

/** The data were written by a Kerb that this one does not understand. */
export class NewerData extends Error {
  constructor(directory: string, found: number) {
    super(
      `the data in ${directory} have format ${found}, this Kerb understands up to ${format}: ` +
        "start the newer Kerb that wrote them",
    );
  }
}

export interface LmdbOptions {
  clock: Clock;
  log: Log;
  /** Size the map starts with; it grows as needed. */
  mapBytes?: number;
}

/** Opens or makes the store in `directory`. Throws DataInUse or NewerData. */
export async function openLmdbStore(directory: string, options: LmdbOptions): Promise<Store> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unlock = await lockData(directory);
  try {
    const durable = new LmdbBackend(directory, options.mapBytes ?? mapBytesDefault);
    try {
      await checkFormat(durable, directory);
      return await storeOver(durable, options, unlock);
    } catch (error) {
      await durable.close();
      throw error;
    }
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function checkFormat(durable: LmdbBackend, directory: string) {
  const found = durable.meta("format");
  if (found !== undefined && found > format) throw new NewerData(directory, found);
  if (found === undefined) await durable.setFormat(format);
}

async function storeOver(
  durable: LmdbBackend,
  { clock, log }: LmdbOptions,
  unlock: () => Promise<void>,
): Promise<Store> {
  const volatile = new MemoryBackend();
  await volatile.commit({ changes: durable.savedVolatile() });
  const store: LogStore = new LogStore({
    durable,
    volatile,
    revision: Math.max(durable.lastRevision(), durable.meta("ceiling") ?? 0),
    compacted: durable.meta("compacted") ?? 0,
    volatileResources: durable.meta("volatile")?.split(" ").filter(Boolean) ?? [],
    beforeClose: async () => {
      stopFlushing();
      const { volatile: resources } = store.facts();
      const facts = { ceiling: store.revision(), volatile: resources };
      await durable.saveVolatile(store.volatileChanges(), facts);
    },
    afterClose: unlock,
  });
  const stopFlushing = clock.every(volatileFlushMs, () => {
    durable.saveVolatile(store.volatileChanges(), store.facts()).catch((error: Error) => {
      log.error("volatile objects were not saved", { error: error.message });
    });
  });
  return store;
}
