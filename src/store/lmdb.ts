// The durable store: LMDB, a memory-mapped B-tree that a crash cannot tear. Three tables: `live` (key to
// revision), `log` (revision to change), `meta`; and `volatile`, a copy of what otherwise lives in memory.
//
// A group is put within one turn, which lmdb commits as one transaction, and is synced before its promise
// resolves (`overlappingSync` would resolve earlier, so it is off).
import { mkdirSync } from "node:fs";
import { open } from "lmdb";
import type { Database, RootDatabase } from "lmdb";
import type { Cancel, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Backend } from "./backend.ts";
import { decodeChange, encodeChange } from "./change.ts";
import type { Change } from "./change.ts";
import { lockData } from "./data-lock.ts";
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
      `the data in ${directory} have format ${found}, this Kerb understands ${format}: ` +
        "start the newer Kerb that wrote them",
    );
  }
}

const rangeEnd = (prefix: string) => (prefix === "" ? undefined : `${prefix.slice(0, -1)}0`);

class LmdbBackend implements Backend {
  readonly #root: RootDatabase;
  readonly #live: Database<number, string>;
  readonly #log: Database<Buffer, number>;
  readonly #meta: Database<number, string>;
  readonly #volatile: Database<Buffer, string>;
  #ceiling: number | undefined;

  constructor(directory: string, mapBytes: number) {
    this.#root = open({
      path: directory,
      maxDbs: 8,
      mapSize: mapBytes,
      overlappingSync: false,
      eventTurnBatching: true,
      commitDelay: 0,
      noMemInit: true,
      pageSize: 4096,
    });
    this.#live = this.#root.openDB({ name: "live", encoding: "ordered-binary" });
    this.#log = this.#root.openDB({ name: "log", encoding: "binary" });
    this.#meta = this.#root.openDB({ name: "meta", encoding: "ordered-binary" });
    this.#volatile = this.#root.openDB({ name: "volatile", encoding: "binary" });
  }

  meta(name: string) {
    return this.#meta.get(name);
  }

  async setMeta(name: string, value: number) {
    await this.#meta.put(name, value);
  }

  /** The last revision on disk, 0 for none. */
  lastRevision(): number {
    for (const revision of this.#log.getKeys({ reverse: true, limit: 1 })) return revision;
    return 0;
  }

  raiseCeiling(ceiling: number) {
    this.#ceiling = ceiling;
  }

  revisionOf(key: string) {
    return this.#live.get(key);
  }

  change(revision: number) {
    const bytes = this.#log.getBinary(revision);
    return bytes && decodeChange(revision, bytes);
  }

  *keys(prefix: string, after: string | undefined): Iterable<[string, number]> {
    for (const { key, value } of this.#live.getRange(this.#range(prefix, after)))
      yield [key, value];
  }

  count(prefix: string, after: string | undefined) {
    return this.#live.getKeysCount(this.#range(prefix, after));
  }

  *changes(after: number): Iterable<Change> {
    for (const { key, value } of this.#log.getRange({ start: after + 1, snapshot: false })) {
      yield decodeChange(key, value);
    }
  }

  async commit(changes: Change[], removed: number[], compacted?: number) {
    let last: Promise<boolean> | undefined;
    for (const change of changes) {
      last = this.#log.put(change.revision, encodeChange(change));
      if (change.type === "delete") last = this.#live.remove(change.key);
      else last = this.#live.put(change.key, change.revision);
    }
    for (const revision of removed) last = this.#log.remove(revision);
    if (compacted !== undefined) last = this.#meta.put("compacted", compacted);
    if (this.#ceiling !== undefined) last = this.#meta.put("ceiling", this.#ceiling);
    this.#ceiling = undefined;
    await last;
  }

  /** Replaces the copy of what is volatile; writes only what differs. */
  async saveVolatile(changes: Change[], ceiling: number) {
    const kept = new Set(changes.map((change) => change.key));
    let last: Promise<boolean> | undefined;
    for (const key of this.#volatile.getKeys()) {
      if (!kept.has(key)) last = this.#volatile.remove(key);
    }
    for (const change of changes) {
      const bytes = Buffer.alloc(8);
      bytes.writeBigUInt64BE(BigInt(change.revision));
      const stored = this.#volatile.getBinary(change.key);
      if (stored?.subarray(0, 8).equals(bytes)) continue;
      last = this.#volatile.put(change.key, Buffer.concat([bytes, change.value]));
    }
    if (last) await this.#meta.put("ceiling", ceiling);
  }

  savedVolatile(): Change[] {
    const found = [...this.#volatile.getRange()].map(({ key, value }): Change => {
      const revision = Number(value.readBigUInt64BE(0));
      return { type: "create", key, revision, previous: 0, value: value.subarray(8) };
    });
    return found.sort((a, b) => a.revision - b.revision);
  }

  async close() {
    await this.#root.close();
  }

  #range(prefix: string, after: string | undefined) {
    const end = rangeEnd(prefix);
    const start = after === undefined ? prefix : `${after}\u0001`;
    return { start, ...(end !== undefined && { end }), snapshot: false };
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
  const durable = new LmdbBackend(directory, options.mapBytes ?? mapBytesDefault);
  const found = durable.meta("format");
  if (found !== undefined && found > format) {
    await durable.close();
    await unlock();
    throw new NewerData(directory, found);
  }
  if (found === undefined) await durable.setMeta("format", format);
  const volatile = new MemoryBackend();
  await volatile.commit(durable.savedVolatile(), []);
  const revision = Math.max(durable.lastRevision(), durable.meta("ceiling") ?? 0);
  let stopFlushing: Cancel = () => {};
  const store: LogStore = new LogStore({
    durable,
    volatile,
    revision,
    compacted: durable.meta("compacted") ?? 0,
    raiseCeiling: (ceiling) => durable.raiseCeiling(ceiling),
    onClose: async () => {
      stopFlushing();
      await durable.saveVolatile(store.volatileChanges(), store.revision());
      await durable.setMeta("ceiling", store.revision());
      await unlock();
    },
  });
  stopFlushing = options.clock.every(volatileFlushMs, () => {
    durable
      .saveVolatile(store.volatileChanges(), store.ceiling())
      .catch((error: Error) =>
        options.log.error("volatile objects were not saved", { error: error.message }),
      );
  });
  return store;
}
