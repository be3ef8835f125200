// The contract of `store.ts`, once, over any backend.
//
// A write checks its guard and takes its revision at once, against what is queued before it, and waits in
// one queue. The queue is committed in groups: while one group is being synced the next gathers. What is
// on disk is published in order of revision, to readers, watchers and the writer alike, never before.
//
// Volatile writes (leases, events) take their revision from the same counter and their place in the same
// queue, but go to a log in memory. So that a revision is never given twice after a power cut, the durable
// log holds a ceiling: revisions up to it may have been given.
import type { Backend } from "./backend.ts";
import type { Change } from "./change.ts";
import { FanOut } from "./fan-out.ts";
import { LogWatch } from "./log-watch.ts";
import type { WatchSource } from "./log-watch.ts";
import { Compacted, KeyExists, RevisionMismatch, sealBody } from "./store.ts";
import type { Body, Entry, ListOptions, Page, Store, StoreEvent, WriteOptions } from "./store.ts";

/** Changes committed as one at most: bounds the memory of a group. */
const groupChangesMax = 2000;
/** Revisions that may go by without a durable write before one is forced. */
export const ceilingStep = 10_000;

interface Pending {
  change: Change;
  volatile: boolean;
  resolve: (entry: Entry) => void;
  reject: (error: unknown) => void;
}

export interface LogStoreOptions {
  durable: Backend;
  /** Where volatile keys live; absent when everything is volatile anyhow. */
  volatile?: Backend;
  /** The last revision that may have been given out. */
  revision: number;
  compacted?: number;
  /** Puts the revision ceiling on disk with the next commit. */
  raiseCeiling?: (ceiling: number) => void;
  onClose?: () => Promise<void>;
}

export class LogStore implements Store {
  readonly #durable: Backend;
  readonly #volatile: Backend | undefined;
  readonly #options: LogStoreOptions;
  readonly #fanOut = new FanOut();
  /** The newest queued change of each key that has one. */
  readonly #pending = new Map<string, Pending>();
  readonly #source: WatchSource;
  #queue: Pending[] = [];
  #committing = false;
  #given: number;
  #published: number;
  #ceiling: number;
  #compacted: number;
  #closed = false;
  #idle: (() => void)[] = [];

  constructor(options: LogStoreOptions) {
    this.#options = options;
    this.#durable = options.durable;
    this.#volatile = options.volatile;
    this.#given = this.#published = this.#ceiling = options.revision;
    this.#compacted = options.compacted ?? 0;
    this.#source = {
      replay: (prefix, after, limit) => this.#replay(prefix, after, limit),
      revision: () => this.#published,
      subscribe: (prefix, listener) => this.#fanOut.subscribe(prefix, listener),
    };
  }

  async create(key: string, body: Body, options: WriteOptions = {}): Promise<Entry> {
    const current = this.#newest(key);
    if (current !== 0) {
      await this.#settled(key);
      throw new KeyExists(key, this.get(key));
    }
    const volatile = options.volatile === true && this.#volatile !== undefined;
    return this.#write("create", key, 0, body, volatile);
  }

  update(key: string, revision: number, body: Body): Promise<Entry> {
    return this.#guarded("update", key, revision, body);
  }

  delete(key: string, revision: number, body: Body): Promise<Entry> {
    return this.#guarded("delete", key, revision, body);
  }

  get(key: string): Entry | undefined {
    for (const backend of this.#backends()) {
      const revision = backend.revisionOf(key);
      const change = revision === undefined ? undefined : backend.change(revision);
      if (change) return { key, value: change.value, revision: change.revision };
    }
    return undefined;
  }

  list(prefix: string, options: ListOptions = {}): Page {
    const at = options.revision ?? this.#published;
    if (at < this.#compacted) throw new Compacted(this.#compacted);
    const undone = at < this.#published ? this.#undo(prefix, at) : new Map<string, number>();
    const { limit = Number.POSITIVE_INFINITY, after } = options;
    const entries: Entry[] = [];
    let last: string | undefined;
    for (const [key, revision, backend] of this.#keysAt(prefix, after, undone)) {
      if (entries.length >= limit) {
        const remaining = this.#remaining(prefix, last!, undone);
        return { entries, revision: at, next: last!, remaining };
      }
      const change = backend.change(revision);
      if (change) entries.push({ key, value: change.value, revision });
      last = key;
    }
    return { entries, revision: at, remaining: 0 };
  }

  watch(prefix: string, options: { after: number; signal?: AbortSignal }) {
    if (options.after < this.#compacted) throw new Compacted(this.#compacted);
    return new LogWatch(this.#source, prefix, options.after, options.signal);
  }

  subscribe(prefix: string, listener: (events: StoreEvent[]) => void) {
    return this.#fanOut.subscribe(prefix, listener);
  }

  revision() {
    return this.#published;
  }

  compacted() {
    return this.#compacted;
  }

  async compact(revision: number) {
    const upTo = Math.min(revision, this.#published);
    if (upTo <= this.#compacted) return;
    const from = this.#compacted;
    this.#compacted = upTo;
    for (const backend of this.#backends()) await removeSuperseded(backend, from, upTo);
  }

  async close() {
    this.#closed = true;
    if (this.#queue.length > 0 || this.#committing) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
    await this.#options.onClose?.();
    await this.#durable.close();
  }

  /** No revision above this was ever given. */
  ceiling() {
    return Math.max(this.#ceiling, this.#given);
  }

  /** What is volatile now, to be put on disk. */
  volatileChanges(): Change[] {
    const volatile = this.#volatile;
    if (!volatile) return [];
    return [...volatile.keys("", undefined)].map(([, revision]) => volatile.change(revision)!);
  }

  #backends(): Backend[] {
    return this.#volatile ? [this.#volatile, this.#durable] : [this.#durable];
  }

  #isVolatile(key: string) {
    const pending = this.#pending.get(key);
    return pending ? pending.volatile : this.#volatile?.revisionOf(key) !== undefined;
  }

  /** The revision of a key, queued writes included; 0 when it does not exist. */
  #newest(key: string): number {
    const pending = this.#pending.get(key);
    if (pending) return pending.change.type === "delete" ? 0 : pending.change.revision;
    return this.#volatile?.revisionOf(key) ?? this.#durable.revisionOf(key) ?? 0;
  }

  /** No turn may pass between the check of the guard and the place in the queue. */
  async #guarded(type: "update" | "delete", key: string, revision: number, body: Body) {
    if (revision !== 0 && this.#newest(key) === revision) {
      return this.#write(type, key, revision, body, this.#isVolatile(key));
    }
    await this.#settled(key);
    throw new RevisionMismatch(key, this.get(key));
  }

  /** Resolves once what is queued for `key` is published, so that the caller can read what beat it. */
  async #settled(key: string) {
    while (this.#pending.has(key)) {
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    }
  }

  #write(type: Change["type"], key: string, previous: number, body: Body, volatile: boolean) {
    if (this.#closed) throw new Error("the store is closed");
    const revision = ++this.#given;
    const change: Change = { type, key, revision, previous, value: sealBody(body, revision) };
    return new Promise<Entry>((resolve, reject) => {
      const pending = { change, volatile, resolve, reject };
      this.#pending.set(key, pending);
      this.#queue.push(pending);
      if (!this.#committing) queueMicrotask(() => void this.#commit());
    });
  }

  async #commit() {
    if (this.#committing) return;
    this.#committing = true;
    while (this.#queue.length > 0) {
      const group = this.#queue.slice(0, groupChangesMax);
      try {
        await this.#sync(group);
      } catch (error) {
        this.#fail(error);
        break;
      }
      this.#queue.splice(0, group.length);
      this.#publish(group);
    }
    this.#committing = false;
    this.#wakeIdle();
  }

  async #sync(group: Pending[]) {
    const durable = group.filter((pending) => !pending.volatile).map(({ change }) => change);
    const last = group[group.length - 1]!.change.revision;
    if (last > this.#ceiling && this.#options.raiseCeiling) {
      this.#ceiling = last + ceilingStep;
      this.#options.raiseCeiling(this.#ceiling);
    } else if (durable.length === 0) return;
    await this.#durable.commit(durable, []);
  }

  /** Nothing queued can be kept: later writes may rest on those that failed. */
  #fail(error: unknown) {
    const failed = this.#queue;
    this.#queue = [];
    this.#pending.clear();
    for (const pending of failed) pending.reject(error);
  }

  #publish(group: Pending[]) {
    const volatile = group.filter((pending) => pending.volatile).map(({ change }) => change);
    const events = group.map(({ change }) => this.#eventOf(change));
    if (volatile.length > 0 && this.#volatile) void this.#volatile.commit(volatile, []);
    this.#published = group[group.length - 1]!.change.revision;
    for (const pending of group) {
      const { key } = pending.change;
      if (this.#pending.get(key) === pending) this.#pending.delete(key);
    }
    this.#fanOut.publish(events);
    for (const { change, resolve } of group) {
      resolve({ key: change.key, value: change.value, revision: change.revision });
    }
    this.#wakeIdle();
  }

  #wakeIdle() {
    const idle = this.#idle;
    this.#idle = [];
    for (const wake of idle) wake();
  }

  #eventOf(change: Change): StoreEvent {
    const { type, key, value, revision } = change;
    const event: StoreEvent = { type, key, value, revision };
    if (change.previous === 0) return event;
    // Read when asked for: most watchers never look at what was there before.
    const backends = this.#backends();
    Object.defineProperty(event, "previous", {
      enumerable: true,
      configurable: true,
      get: () => {
        for (const backend of backends) {
          const previous = backend.change(change.previous)?.value;
          if (previous) return previous;
        }
        return undefined;
      },
    });
    return event;
  }

  #replay(prefix: string, after: number, limit: number) {
    if (after < this.#compacted) throw new Compacted(this.#compacted);
    const events: StoreEvent[] = [];
    let position = after;
    let seen = 0;
    for (const change of this.#changes(after)) {
      if (change.revision > this.#published) break;
      if (seen++ >= limit) return { events, position };
      position = change.revision;
      if (change.key.startsWith(prefix)) events.push(this.#eventOf(change));
    }
    return { events, position: this.#published };
  }

  /** Changes of both logs behind `after`, in order of revision. */
  *#changes(after: number): Iterable<Change> {
    if (!this.#volatile) return yield* this.#durable.changes(after);
    const [left, right] = this.#backends().map((b) => b.changes(after)[Symbol.iterator]());
    let a = left!.next();
    let b = right!.next();
    while (!a.done || !b.done) {
      if (b.done || (!a.done && a.value.revision < b.value.revision)) {
        yield a.value as Change;
        a = left!.next();
      } else {
        yield b.value as Change;
        b = right!.next();
      }
    }
  }

  /** For every key changed after `at`, the revision it had then (0 when it did not exist). */
  #undo(prefix: string, at: number): Map<string, number> {
    const undone = new Map<string, number>();
    for (const change of this.#changes(at)) {
      if (change.revision > this.#published) break;
      if (!change.key.startsWith(prefix) || undone.has(change.key)) continue;
      undone.set(change.key, change.previous);
    }
    return undone;
  }

  *#keysAt(
    prefix: string,
    after: string | undefined,
    undone: Map<string, number>,
  ): Iterable<[string, number, Backend]> {
    const found: [string, number, Backend][] = [];
    const backends = this.#backends().filter((backend) => backend.count(prefix, after) > 0);
    if (undone.size === 0 && backends.length <= 1) {
      for (const backend of backends) {
        for (const [key, revision] of backend.keys(prefix, after)) yield [key, revision, backend];
      }
      return;
    }
    for (const backend of backends) {
      for (const [key, revision] of backend.keys(prefix, after)) {
        if (!undone.has(key)) found.push([key, revision, backend]);
      }
    }
    for (const [key, revision] of undone) {
      if (revision === 0 || (after !== undefined && key <= after)) continue;
      const backend = this.#backends().find((one) => one.change(revision) !== undefined);
      if (backend) found.push([key, revision, backend]);
    }
    yield* found.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  }

  #remaining(prefix: string, after: string, undone: Map<string, number>): number {
    if (undone.size > 0) return [...this.#keysAt(prefix, after, undone)].length;
    return this.#backends().reduce((sum, backend) => sum + backend.count(prefix, after), 0);
  }
}

/** Changes removed in one slice, so that compaction never holds the process up. */
const compactionSlice = 500;

/** Forgets what was superseded in (from, upTo]: predecessors of its changes, and its deletes themselves. */
async function removeSuperseded(backend: Backend, from: number, upTo: number) {
  let position = from;
  for (;;) {
    const removed: number[] = [];
    let seen = 0;
    for (const change of backend.changes(position)) {
      if (change.revision > upTo || seen >= compactionSlice) break;
      seen += 1;
      position = change.revision;
      if (change.previous > 0) removed.push(change.previous);
      if (change.type === "delete") removed.push(change.revision);
    }
    const done = seen < compactionSlice;
    if (removed.length > 0 || done) await backend.commit([], removed, done ? upTo : undefined);
    if (done) return;
    await new Promise((resolve) => setImmediate(resolve));
  }
}
