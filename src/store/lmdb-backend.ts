// Changes in LMDB, a memory-mapped B-tree that a crash cannot tear: `live` (key to revision), `log`
// (revision to change), `meta`, and `volatile`, a copy of what otherwise lives in memory.
//
// A commit is one lmdb batch, thus one transaction, and is synced before its promise resolves
// (`overlappingSync` would resolve earlier; `eventTurnBatching` leaves rejections that nobody hears).
import { statfsSync } from "node:fs";
import { open } from "lmdb";
import type { Database, RootDatabase } from "lmdb";
import type { Backend, Commit, Facts } from "./backend.ts";
import type { Blocks } from "./blocks.ts";
import { decodeHead, encodeChange, valueAt } from "./change.ts";
import type { Change, Head } from "./change.ts";
import { isTooLong } from "./keys.ts";
import { StoreFull } from "./store.ts";

const revisionBytes = 8;
/** ENOSPC, EDQUOT, EFBIG and MDB_MAP_FULL. */
const fullCodes = new Set([28, 122, 27, -30792]);

export const isFullDisk = (error: any) => error?.code === "ENOSPC" || error?.code === "EDQUOT";

/** A write cut short by a full disk is told as EIO; below this much room it was that. */
const roomBytesMin = 2 ** 20;

/** "0" comes right behind "/"; a prefix may also be a whole key. */
function rangeEnd(prefix: string): string | undefined {
  if (prefix === "") return undefined;
  return prefix.endsWith("/") ? `${prefix.slice(0, -1)}0` : `${prefix}\u{10ffff}`;
}

/** Reads heads without copying their values. */
const headEncoder = {
  decode: (bytes: Buffer) => decodeHead(bytes),
  encode: (): never => {
    throw new Error("heads are only read");
  },
  needsStableBuffer: false,
};

interface Meta {
  format?: number;
  compacted?: number;
  ceiling?: number;
  volatile?: string;
}

export class LmdbBackend implements Backend {
  readonly #directory: string;
  readonly #root: RootDatabase;
  readonly #live: Database<number, string>;
  readonly #log: Database<Buffer, number>;
  readonly #heads: Database<Omit<Head, "revision">, number>;
  readonly #meta: Database<number | string, string>;
  readonly #volatile: Database<Buffer, string>;
  #closing: Promise<void> | undefined;

  constructor(directory: string, mapBytes: number) {
    this.#directory = directory;
    this.#root = open({
      path: directory,
      maxDbs: 8,
      mapSize: mapBytes,
      overlappingSync: false,
      eventTurnBatching: false,
      commitDelay: 0,
      noMemInit: true,
      pageSize: 4096,
    });
    this.#live = this.#root.openDB({ name: "live", encoding: "ordered-binary" });
    this.#log = this.#root.openDB({ name: "log", encoding: "binary" });
    this.#heads = this.#root.openDB({ name: "log", encoder: headEncoder } as { name: string });
    this.#meta = this.#root.openDB({ name: "meta", encoding: "ordered-binary" });
    this.#volatile = this.#root.openDB({ name: "volatile", encoding: "binary" });
  }

  meta<Name extends keyof Meta>(name: Name): Meta[Name] {
    return this.#meta.get(name) as Meta[Name];
  }

  setFormat(format: number) {
    return this.#write(() => void this.#meta.put("format", format));
  }

  /** The last revision on disk, 0 for none. */
  lastRevision(): number {
    for (const revision of this.#log.getKeys({ reverse: true, limit: 1 })) return revision;
    return 0;
  }

  revisionOf(key: string) {
    return isTooLong(key) ? undefined : this.#live.get(key);
  }

  value(revision: number, blocks?: Blocks) {
    const bytes = this.#log.getBinaryFast(revision);
    if (!bytes) return undefined;
    // lmdb reads into one buffer again and again, so the value is copied before anything else is read.
    const [start, end] = [valueAt(bytes), bytes.length];
    return blocks?.copy(bytes, start, end) ?? Uint8Array.prototype.slice.call(bytes, start, end);
  }

  *keys(prefix: string, after: string | undefined): Iterable<[string, number]> {
    if (isTooLong(after ?? prefix)) return;
    const range = this.#live.getRange(this.#range(prefix, after));
    for (const { key, value } of range) yield [key, value];
  }

  count(prefix: string, after: string | undefined) {
    return isTooLong(after ?? prefix) ? 0 : this.#live.getKeysCount(this.#range(prefix, after));
  }

  *heads(after: number): Iterable<Head> {
    const range = this.#heads.getRange({ start: after + 1, snapshot: false });
    for (const { key, value } of range) yield { revision: key, ...value };
  }

  commit({ changes = [], removed = [], compacted, facts }: Commit) {
    return this.#write(() => {
      for (const change of changes) {
        void this.#log.put(change.revision, encodeChange(change));
        if (change.type === "delete") void this.#live.remove(change.key);
        else void this.#live.put(change.key, change.revision);
      }
      for (const revision of removed) void this.#log.remove(revision);
      if (compacted !== undefined) void this.#meta.put("compacted", compacted);
      if (facts) this.#putFacts(facts);
    });
  }

  /** Replaces the copy of what is volatile; writes only what differs. */
  async saveVolatile(changes: Change[], facts: Facts) {
    const kept = new Set(changes.map((change) => change.key));
    const gone = [...this.#volatile.getKeys()].filter((key) => !kept.has(key));
    const fresh = changes.filter(({ key, revision }) => this.#savedRevision(key) !== revision);
    const same = gone.length === 0 && fresh.length === 0;
    if (same && this.meta("ceiling") === facts.ceiling) return;
    await this.#write(() => {
      for (const key of gone) void this.#volatile.remove(key);
      for (const { key, revision, value } of fresh) {
        const bytes = Buffer.alloc(revisionBytes + value.length);
        bytes.writeBigUInt64BE(BigInt(revision));
        bytes.set(value, revisionBytes);
        void this.#volatile.put(key, bytes);
      }
      this.#putFacts(facts);
    });
  }

  savedVolatile(): Change[] {
    const found = [...this.#volatile.getRange()].map(({ key, value }): Change => {
      const revision = Number(value.readBigUInt64BE(0));
      return { type: "create", key, revision, previous: 0, value: value.subarray(revisionBytes) };
    });
    return found.sort((a, b) => a.revision - b.revision);
  }

  close(): Promise<void> {
    this.#closing ??= this.#root.close();
    return this.#closing;
  }

  #savedRevision(key: string): number | undefined {
    const saved = this.#volatile.getBinary(key);
    return saved && Number(saved.readBigUInt64BE(0));
  }

  #putFacts(facts: Facts) {
    void this.#meta.put("ceiling", facts.ceiling);
    void this.#meta.put("volatile", facts.volatile.join(" "));
  }

  /** All that `put` writes as one transaction. */
  async #write(put: () => void) {
    try {
      await this.#root.batch(put);
    } catch (failure) {
      const error = await causeOf(failure);
      throw this.#isFull(error) ? new StoreFull(error) : error;
    }
  }

  #isFull(error: { code?: number }) {
    if (fullCodes.has(error.code ?? 0)) return true;
    const { bavail, bsize } = statfsSync(this.#directory);
    return bavail * bsize < roomBytesMin;
  }

  #range(prefix: string, after: string | undefined) {
    const end = rangeEnd(prefix);
    const start = after === undefined ? prefix : `${after}\u0001`;
    return { start, ...(end !== undefined && { end }), snapshot: false };
  }
}

/** lmdb rejects with "Commit failed (see commitError for details)" and a promise of the cause. */
async function causeOf(error: any): Promise<any> {
  try {
    return (await error?.commitError) ?? error;
  } catch (cause) {
    return cause;
  }
}
