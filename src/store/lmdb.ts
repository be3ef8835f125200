// The durable store of one site: a LogStore over a journal over LMDB, with what is volatile in memory and
// saved seldom.
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Backend } from "./backend.ts";
import { lockData } from "./data-lock.ts";
import { JournalBackend, journalBytes } from "./journal.ts";
import { noJournalDisk, openJournalDisk } from "./journal-disk.ts";
import type { JournalDisk } from "./journal-disk.ts";
import { isFullDisk, LmdbBackend } from "./lmdb-backend.ts";
import { LogStore } from "./log-store.ts";
import { MemoryBackend } from "./memory.ts";
import type { Store } from "./store.ts";

/** 2 since there is a journal. */
export const format = 2;
export const mapBytesDefault = 256 * 2 ** 20;
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
  /** Stands between the log and its place on disk. */
  transform?: (durable: Backend) => Backend;
}

/** Opens or makes the store in `directory`. Throws DataInUse or NewerData. */
export async function openLmdbStore(directory: string, options: LmdbOptions): Promise<Store> {
  mkdirSync(directory, { recursive: true, mode: 0o700 });
  const unlock = await lockData(directory);
  try {
    const tree = new LmdbBackend(directory, options.mapBytes ?? mapBytesDefault);
    try {
      await checkFormat(tree, directory);
      return await storeOver(tree, directory, options, unlock);
    } catch (error) {
      await tree.close();
      throw error;
    }
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function checkFormat(tree: LmdbBackend, directory: string) {
  const found = tree.meta("format") ?? 0;
  if (found > format) throw new NewerData(directory, found);
  if (found < format) await tree.setFormat(format);
}

/** A site whose disk is full must start all the same: it writes to the tree alone then. */
async function openDisks(directory: string, log: Log): Promise<[JournalDisk, JournalDisk]> {
  const openOne = (name: string) => openJournalDisk(join(directory, name), journalBytes);
  try {
    return [await openOne("journal-0"), await openOne("journal-1")];
  } catch (error) {
    if (!isFullDisk(error)) throw error;
    log.warn("there is no room for a journal: writes are slower", { directory });
    return [noJournalDisk, noJournalDisk];
  }
}

/** A transformer that refuses what it finds leaves nothing open. */
async function transformedOr(durable: Backend, transform: LmdbOptions["transform"]) {
  try {
    return transform ? transform(durable) : durable;
  } catch (error) {
    await durable.close();
    throw error;
  }
}

async function storeOver(
  tree: LmdbBackend,
  directory: string,
  options: LmdbOptions,
  unlock: () => Promise<void>,
): Promise<Store> {
  const disks = await openDisks(directory, options.log);
  try {
    return await storeWith(disks, tree, options, unlock);
  } catch (error) {
    for (const disk of disks) await disk.close();
    throw error;
  }
}

async function storeWith(
  disks: [JournalDisk, JournalDisk],
  tree: LmdbBackend,
  { clock, log, transform }: LmdbOptions,
  unlock: () => Promise<void>,
): Promise<Store> {
  const volatile = new MemoryBackend();
  await volatile.commit({ changes: tree.savedVolatile() });
  const compacted = tree.meta("compacted") ?? 0;
  // What compaction took away was in the tree.
  const carried = Math.max(tree.lastRevision(), compacted);
  const durable = await JournalBackend.open({ tree, disks, carried, clock, log });
  const transformed = await transformedOr(durable, transform);
  const store: LogStore = new LogStore({
    durable: transformed,
    volatile,
    revision: Math.max(durable.last ?? carried, tree.meta("ceiling") ?? 0),
    compacted,
    volatileResources: tree.meta("volatile")?.split(" ").filter(Boolean) ?? [],
    beforeClose: async () => {
      stopFlushing();
      const { volatile: resources } = store.facts();
      const facts = { ceiling: store.revision(), volatile: resources };
      await tree.saveVolatile(store.volatileChanges(), facts);
    },
    afterClose: unlock,
  });
  const stopFlushing = clock.every(volatileFlushMs, () => {
    tree.saveVolatile(store.volatileChanges(), store.facts()).catch((error: Error) => {
      log.error("volatile objects were not saved", { error: error.message });
    });
  });
  return store;
}
