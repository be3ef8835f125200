// The contract of `store.ts`, once, over any backend.
//
// A write checks its guard and takes its revision at once, against what is queued before it, and waits in
// one queue. The queue is committed in groups: while one group is being synced the next gathers. What is
// on disk is published in order of revision, to readers, watchers and the writer alike, never before.
//
// Volatile writes (leases, events) take their revision from the same counter and their place in the same
// queue, but go to a log in memory. So that a revision is never given twice after a power cut, the durable
// log holds a ceiling: revisions up to it may have been given. Their history does not outlive the process,
// so the past of resources with volatile keys begins at its start.
import type { Backend, Facts } from "./backend.ts";
import type { Change } from "./change.ts";
import { forget } from "./forget.ts";
import { isTooLong, resourceOf } from "./keys.ts";
import { LogReader } from "./log-reader.ts";
import { Compacted, KeyExists, RevisionMismatch, sealBody } from "./store.ts";
import type { Body, Entry, ListOptions, Page, Store, StoreEvent, WriteOptions } from "./store.ts";
import { Watches } from "./watches.ts";

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
  /** Resources that have had volatile keys. */
  volatileResources?: string[];
  /** Runs when all is written, before the backend closes. */
  beforeClose?: () => Promise<void>;
  afterClose?: () => Promise<void>;
}

export class LogStore implements Store {
  readonly #durable: Backend;
  readonly #volatile: Backend | undefined;
  readonly #options: LogStoreOptions;
  readonly #reader: LogReader;
  readonly #watches = new Watches(() => this.#reader);
  /** The newest queued change of each key that has one. */
  readonly #pending = new Map<string, Pending>();
  readonly #volatileResources: Set<string>;
  #queue: Pending[] = [];
  #committing = false;
  /** The last commit to the durable part was not kept. */
  #failing = false;
  #given: number;
  #ceiling: number;
  #compacting: Promise<void> = Promise.resolve();
  #closing: Promise<void> | undefined;
  #idle: (() => void)[] = [];

  constructor(options: LogStoreOptions) {
    const { durable, volatile, revision, compacted = 0 } = options;
    this.#options = options;
    this.#durable = durable;
    this.#volatile = volatile;
    this.#given = this.#ceiling = revision;
    this.#volatileResources = new Set(options.volatileResources);
    this.#reader = new LogReader(this.#backends(), { published: revision, compacted });
  }

  async create(key: string, body: Body, options: WriteOptions = {}): Promise<Entry> {
    if (isTooLong(key)) throw new Error(`key ${key} is too long`);
    while (this.#newest(key) !== 0) {
      if (!this.#pending.has(key)) throw new KeyExists(key, this.get(key));
      await this.#settled();
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
    this.#mustBeOpen();
    return this.#reader.get(key);
  }

  list(prefix: string, options: ListOptions = {}): Page {
    this.#mustBeOpen();
    this.#mustReach(prefix, options.revision);
    return this.#reader.list(prefix, options);
  }

  watch(prefix: string, options: { after: number; signal?: AbortSignal }) {
    this.#mustBeOpen();
    this.#mustReach(prefix, options.after);
    return this.#watches.watch(prefix, options);
  }

  subscribe(prefix: string, listener: (events: StoreEvent[]) => void) {
    return this.#watches.subscribe(prefix, listener);
  }

  revision() {
    return this.#reader.published;
  }

  compacted() {
    return this.#reader.compacted;
  }

  compact(revision: number): Promise<void> {
    const upTo = Math.min(revision, this.#reader.published);
    const from = this.#reader.compacted;
    if (upTo <= from) return this.#compacting;
    this.#reader.compacted = upTo;
    const stopped = () => this.#closing !== undefined;
    const run = async () => {
      for (const backend of this.#backends()) await forget(backend, { from, upTo, stopped });
    };
    const compacting = this.#compacting.then(run);
    this.#compacting = compacting.catch(() => {});
    return compacting;
  }

  async check() {
    this.#mustBeOpen();
    if (this.#committing) await this.#settled();
    if (!this.#failing) return;
    await this.#durable.commit({ facts: this.facts() });
    this.#failing = false;
  }

  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  /** What a restart must know beside the log. */
  facts(): Facts {
    const ceiling = Math.max(this.#ceiling, this.#given);
    return { ceiling, volatile: [...this.#volatileResources] };
  }

  /** What is volatile now, to be put on disk. */
  volatileChanges(): Change[] {
    const volatile = this.#volatile;
    if (!volatile) return [];
    return [...volatile.keys("", undefined)].map(([key, revision]) => {
      return { type: "create", key, revision, previous: 0, value: volatile.value(revision)! };
    });
  }

  async #close() {
    this.#watches.close();
    while (this.#queue.length > 0 || this.#committing) await this.#settled();
    await this.#compacting;
    try {
      await this.#options.beforeClose?.();
    } finally {
      await this.#durable.close();
      await this.#options.afterClose?.();
    }
  }

  #mustBeOpen() {
    if (this.#closing) throw new Error("the store is closed");
  }

  /** The past of a resource with volatile keys begins at the start of this process. */
  #mustReach(prefix: string, revision: number | undefined) {
    if (revision === undefined) return;
    if (revision < this.#reader.compacted) throw new Compacted(this.#reader.compacted);
    if (revision >= this.#options.revision) return;
    const touched = prefix === "" || this.#volatileResources.has(resourceOf(prefix));
    if (touched && this.#volatileResources.size > 0) throw new Compacted(this.#options.revision);
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
    if (!pending) return this.#reader.revisionOf(key);
    return pending.change.type === "delete" ? 0 : pending.change.revision;
  }

  /** No turn may pass between the check of the guard and the place in the queue. */
  async #guarded(type: "update" | "delete", key: string, revision: number, body: Body) {
    while (revision === 0 || this.#newest(key) !== revision) {
      // What beat this write is told once it is on disk; should it fail, the guard is asked again.
      if (!this.#pending.has(key)) throw new RevisionMismatch(key, this.get(key));
      await this.#settled();
    }
    return this.#write(type, key, revision, body, this.#isVolatile(key));
  }

  /** Resolves when some queued writes were published or failed. */
  #settled() {
    return new Promise<void>((resolve) => this.#idle.push(resolve));
  }

  #write(type: Change["type"], key: string, previous: number, body: Body, volatile: boolean) {
    this.#mustBeOpen();
    const { unpublished } = this.#reader;
    if (!unpublished.has(key)) unpublished.set(key, previous);
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
    const changes = group.filter((pending) => !pending.volatile).map(({ change }) => change);
    const last = group[group.length - 1]!.change.revision;
    const facts = this.#volatile && this.#newFacts(group, last);
    if (facts || changes.length > 0) {
      await this.#durable.commit({ changes, ...(facts && { facts }) });
      this.#failing = false;
    }
    if (facts) this.#ceiling = facts.ceiling;
    for (const resource of facts?.volatile ?? []) this.#volatileResources.add(resource);
  }

  /** Set when the ceiling must rise, or a resource has its first volatile key. */
  #newFacts(group: Pending[], last: number): Facts | undefined {
    const resources = new Set(this.#volatileResources);
    for (const { volatile, change } of group) if (volatile) resources.add(resourceOf(change.key));
    const known = resources.size === this.#volatileResources.size;
    if (last <= this.#ceiling && known) return undefined;
    return { ceiling: last + ceilingStep, volatile: [...resources] };
  }

  /** Nothing queued can be kept: later writes may rest on those that failed. */
  #fail(error: unknown) {
    this.#failing = true;
    const failed = this.#queue;
    this.#queue = [];
    this.#pending.clear();
    this.#reader.unpublished.clear();
    for (const pending of failed) pending.reject(error);
  }

  #publish(group: Pending[]) {
    const changes = group.filter((pending) => pending.volatile).map(({ change }) => change);
    if (changes.length > 0) void this.#volatile?.commit({ changes });
    this.#reader.published = group[group.length - 1]!.change.revision;
    for (const pending of group) {
      const { key, type, revision } = pending.change;
      if (this.#pending.get(key) === pending) {
        this.#pending.delete(key);
        this.#reader.unpublished.delete(key);
      } else {
        this.#reader.unpublished.set(key, type === "delete" ? 0 : revision);
      }
    }
    this.#watches.publish(group.map(({ change }) => this.#reader.eventOf(change)));
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
}
