// The store's contract: one log of revisions behind six operations. Memory, LMDB and etcd implement it
// and pass one suite (test/contract/store.ts).
//
// A key is a slash-separated path without a leading slash, `pods/default/web-1` or
// `deployments.apps/default/web`: resource (with its group), namespace (absent when cluster-scoped), name.
//
// A value is the object's JSON as bytes. Its `metadata.resourceVersion` is only known once the store has
// given the write its revision, so a writer hands over the bytes with a hole (`Body`) and every reader
// gets whole bytes. They are never parsed or built again on the way to a list or a watcher.
//
// Revisions are 64-bit on disk and safe integers here: at 10,000 writes a second 2^53 lasts 28,000 years.

import type { Blocks } from "./blocks.ts";

/** Bytes of an object's JSON, without a resourceVersion, and where to put it. */
export interface Body {
  bytes: Uint8Array;
  /** Offset just after `"metadata":{`, where `"resourceVersion":"N",` is inserted. */
  revisionAt: number;
}

export interface Entry {
  key: string;
  /** Whole JSON, resourceVersion included. Shared: never write into it. */
  value: Uint8Array;
  /** The revision of the last change to this key. */
  revision: number;
}

export interface StoreEvent {
  type: "create" | "update" | "delete";
  key: string;
  /** The new value; for a delete the last value, with the delete's revision as its resourceVersion. */
  value: Uint8Array;
  /** The value before, absent on create. */
  previous?: Uint8Array | undefined;
  revision: number;
}

export interface WriteOptions {
  /** Keep in memory, put on disk within minutes and at a clean stop; may be lost with the power. */
  volatile?: boolean;
}

export interface Page {
  entries: Entry[];
  /** The revision this list is true at: the requested one, or the newest. */
  revision: number;
  /** The last key of this page when more follow; pass it as `after`. */
  next?: string;
  /** How many keys follow this page (0 when none). */
  remaining: number;
}

export interface ListOptions {
  /** List as things stood at this revision; default: now. Throws Compacted when its history is gone. */
  revision?: number;
  /** Return at most this many. */
  limit?: number;
  /** Start after this key. */
  after?: string;
  /** Where copies of values are put; they are good until its owner uses it again. */
  blocks?: Blocks;
}

/** A watch: an async iterable of batches, in order of revision, ended by `close` or by its signal. */
export interface Watch extends AsyncIterable<StoreEvent[]> {
  close(): void;
}

export interface Store {
  /** Creates `key`. Resolves once it is on disk; throws KeyExists, and like every write StoreFull. */
  create(key: string, body: Body, options?: WriteOptions): Promise<Entry>;
  /** Replaces `key` if it is still at `revision`; throws RevisionMismatch. */
  update(key: string, revision: number, body: Body, options?: WriteOptions): Promise<Entry>;
  /** Deletes `key` if it is still at `revision`; `body` is the last state told to watchers. Throws RevisionMismatch. */
  delete(key: string, revision: number, body: Body, options?: WriteOptions): Promise<Entry>;
  /** The newest acknowledged state of `key`. Synchronous where the backend is local. */
  get(key: string): Entry | undefined | Promise<Entry | undefined>;
  /** Keys that start with `prefix` (which ends in a slash), in byte order. */
  list(prefix: string, options?: ListOptions): Page | Promise<Page>;
  /** Every change to keys under `prefix` after `revision`, then live. Throws Compacted. */
  watch(prefix: string, options: { after: number; signal?: AbortSignal }): Watch;
  /** Like `watch`, by callback, without a queue: for in-process fan-out. Runs in commit order. Returns its stop. */
  subscribe(prefix: string, listener: (events: StoreEvent[]) => void): () => void;
  /** The newest acknowledged revision. */
  revision(): number;
  /** Forgets history up to `revision`: lists at and watches from before it throw Compacted. */
  compact(revision: number): Promise<void>;
  /** The oldest revision that can still be listed at or watched from. */
  compacted(): number;
  /** Resolves when writes are kept: once those under way are, and after one that failed, once another was not. */
  check(): Promise<void>;
  /** Writes what is volatile, syncs, closes. */
  close(): Promise<void>;
}

export class KeyExists extends Error {
  readonly entry: Entry | undefined;
  constructor(key: string, entry?: Entry) {
    super(`key ${key} exists`);
    this.entry = entry;
  }
}

/** The key is not at the revision the writer saw. `current` is what stands there now, absent when nothing does. */
export class RevisionMismatch extends Error {
  readonly current: Entry | undefined;
  constructor(key: string, current: Entry | undefined) {
    super(`key ${key} is at revision ${current?.revision ?? "none"}`);
    this.current = current;
  }
}

/** History before `oldest` is gone. */
export class Compacted extends Error {
  readonly oldest: number;
  constructor(oldest: number) {
    super(`history before revision ${oldest} is compacted`);
    this.oldest = oldest;
  }
}

/** The disk holds no more: the write was refused, and nothing acknowledged before is lost. */
export class StoreFull extends Error {
  constructor(cause: unknown) {
    super(`the store's disk is full: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** What holds the store cannot be reached. A write that ends so may or may not have been done. */
export class StoreUnavailable extends Error {
  constructor(what: string, cause: unknown) {
    super(`${what} does not answer: ${cause instanceof Error ? cause.message : String(cause)}`, {
      cause,
    });
  }
}

/** A watcher fell too far behind and was dropped; it must list again. */
export class WatcherTooSlow extends Error {}

/** Joins a body and its revision into whole bytes, in memory of their own: they are kept, and a slice of Node's
 * pool would keep 64 KiB with it. */
export function sealBody(body: Body, revision: number): Uint8Array {
  const stamp = Buffer.from(`"resourceVersion":"${revision}",`);
  const out = Buffer.allocUnsafeSlow(body.bytes.length + stamp.length);
  out.set(body.bytes.subarray(0, body.revisionAt), 0);
  out.set(stamp, body.revisionAt);
  out.set(body.bytes.subarray(body.revisionAt), body.revisionAt + stamp.length);
  return out;
}
