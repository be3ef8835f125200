// Reading the log: the present, any kept past, and what changed since. The past is the present with later
// changes undone: a list at an old revision reads the live keys, and for each key changed since then takes
// what the first of those changes replaced.
//
// A backend may already hold changes that are not published yet. They are undone like any later change, so
// nobody sees a write before it is acknowledged.
import { mergeSorted } from "../lib/merge-sorted.ts";
import type { Backend } from "./backend.ts";
import { Blocks } from "./blocks.ts";
import type { Change, Head } from "./change.ts";
import { byKey, without } from "./keys.ts";
import { RecentValues } from "./recent-values.ts";
import { Compacted } from "./store.ts";
import type { Entry, ListOptions, Page, StoreEvent } from "./store.ts";

/** An event that reads what was there before only when asked: most watchers never look. */
class LogEvent implements StoreEvent {
  readonly type: StoreEvent["type"];
  readonly key: string;
  readonly value: Uint8Array;
  readonly revision: number;
  #readPrevious: (() => Uint8Array | undefined) | undefined;
  #previous: Uint8Array | undefined;

  constructor(head: Head, value: Uint8Array, readPrevious?: () => Uint8Array | undefined) {
    this.type = head.type;
    this.key = head.key;
    this.value = value;
    this.revision = head.revision;
    this.#readPrevious = readPrevious;
  }

  get previous() {
    if (this.#readPrevious) this.#previous = this.#readPrevious();
    this.#readPrevious = undefined;
    return this.#previous;
  }
}

export class LogReader {
  /** The newest revision anyone may see. */
  published: number;
  compacted: number;
  /** For each key with changes not yet published: its published revision, 0 when it has none. */
  readonly unpublished = new Map<string, number>();
  readonly #backends: readonly Backend[];
  readonly #recent = new RecentValues();

  constructor(backends: readonly Backend[], at: { published: number; compacted: number }) {
    this.#backends = backends;
    this.published = at.published;
    this.compacted = at.compacted;
  }

  /** The published revision of a key, 0 when it does not exist. */
  revisionOf(key: string): number {
    const undone = this.unpublished.get(key);
    if (undone !== undefined) return undone;
    for (const backend of this.#backends) {
      const revision = backend.revisionOf(key);
      if (revision !== undefined) return revision;
    }
    return 0;
  }

  get(key: string): Entry | undefined {
    const revision = this.revisionOf(key);
    const value = revision === 0 ? undefined : this.#value(revision);
    if (value) this.#recent.add(revision, value);
    return value && { key, value, revision };
  }

  list(
    prefix: string,
    { revision: wanted, limit, after, blocks = new Blocks() }: ListOptions,
  ): Page {
    const at = wanted ?? this.published;
    if (at < this.compacted) throw new Compacted(this.compacted);
    const undone = this.#undo(prefix, at);
    const entries: Entry[] = [];
    for (const [key, revision] of this.#keysAt(prefix, after, undone)) {
      if (limit !== undefined && entries.length >= limit) {
        const next = entries[entries.length - 1]!.key;
        return { entries, revision: at, next, remaining: this.#count(prefix, next, undone) };
      }
      const value = this.#value(revision, blocks);
      if (!value) throw new Error(`the log lacks revision ${revision} of ${key}`);
      entries.push({ key, value, revision });
    }
    return { entries, revision: at, remaining: 0 };
  }

  /** The next events behind `after`, from at most `limit` changes, and the position they lead to. */
  replay(prefix: string, after: number, limit: number) {
    if (after < this.compacted) throw new Compacted(this.compacted);
    const events: StoreEvent[] = [];
    let position = after;
    let seen = 0;
    for (const head of this.#heads(after)) {
      if (head.revision > this.published) break;
      if (seen++ >= limit) return { events, position };
      position = head.revision;
      if (!head.key.startsWith(prefix)) continue;
      events.push(this.eventOf({ ...head, value: this.#value(head.revision)! }));
    }
    return { events, position: this.published };
  }

  eventOf(change: Change): StoreEvent {
    const { previous, revision, value } = change;
    this.#recent.add(revision, value);
    if (previous === 0) return new LogEvent(change, change.value);
    return new LogEvent(change, change.value, () => this.#value(previous));
  }

  #value(revision: number, blocks?: Blocks): Uint8Array | undefined {
    const recent = this.#recent.get(revision);
    if (recent) return recent;
    for (const backend of this.#backends) {
      const value = backend.value(revision, blocks);
      if (value) return value;
    }
    return undefined;
  }

  #heads(after: number): Iterable<Head> {
    const logs = this.#backends.map((backend) => backend.heads(after));
    return mergeSorted(logs, (a, b) => a.revision - b.revision);
  }

  /** For every key changed after `at`, the revision it had then (0 when it did not exist). */
  #undo(prefix: string, at: number): Map<string, number> {
    const undone = new Map<string, number>();
    if (at < this.published) {
      for (const { key, revision, previous } of this.#heads(at)) {
        if (revision > this.published) break;
        if (key.startsWith(prefix) && !undone.has(key)) undone.set(key, previous);
      }
    }
    for (const [key, revision] of this.unpublished) {
      if (key.startsWith(prefix) && !undone.has(key)) undone.set(key, revision);
    }
    return undone;
  }

  #keysAt(prefix: string, after: string | undefined, undone: Map<string, number>) {
    const sources = this.#backends.map((backend) => backend.keys(prefix, after));
    if (undone.size === 0) return mergeSorted(sources, byKey);
    const kept = sources.map((keys) => without(keys, (key) => undone.has(key)));
    const back = [...undone].filter(([key, at]) => at > 0 && (after === undefined || key > after));
    return mergeSorted([...kept, back.sort(byKey)], byKey);
  }

  /** How many keys follow `after`; keys are counted, not read. */
  #count(prefix: string, after: string, undone: Map<string, number>): number {
    let count = 0;
    for (const backend of this.#backends) {
      count += backend.count(prefix, after);
      for (const key of undone.keys()) {
        if (key > after && backend.revisionOf(key) !== undefined) count -= 1;
      }
    }
    for (const [key, revision] of undone) if (key > after && revision > 0) count += 1;
    return count;
  }
}
