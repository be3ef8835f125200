// A store that forgets: for tests, simulations, and the volatile part of the durable store.
import type { Backend, Commit } from "./backend.ts";
import type { Change, Head } from "./change.ts";
import { LogStore } from "./log-store.ts";
import type { Store } from "./store.ts";

/** How many of `count` sorted items come before the first that is not `isBefore`. */
function lowerBound(count: number, isBefore: (index: number) => boolean): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (isBefore(middle)) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The first string that no key under `prefix` reaches. */
const prefixEnd = (prefix: string) =>
  prefix === ""
    ? "\uffff"
    : prefix.slice(0, -1) + String.fromCharCode(prefix.charCodeAt(prefix.length - 1) + 1);

export class MemoryBackend implements Backend {
  readonly #live = new Map<string, number>();
  /** Keys of `#live` in order. */
  readonly #sorted: string[] = [];
  readonly #log = new Map<number, Change>();
  /** The changes of `#log` in order of revision. */
  #ordered: Change[] = [];

  revisionOf(key: string) {
    return this.#live.get(key);
  }

  value(revision: number) {
    return this.#log.get(revision)?.value;
  }

  *keys(prefix: string, after: string | undefined): Iterable<[string, number]> {
    const [from, to] = this.#range(prefix, after);
    for (const key of this.#sorted.slice(from, to)) yield [key, this.#live.get(key)!];
  }

  count(prefix: string, after: string | undefined) {
    const [from, to] = this.#range(prefix, after);
    return Math.max(0, to - from);
  }

  *heads(after: number): Iterable<Head> {
    const log = this.#ordered;
    const from = lowerBound(log.length, (i) => log[i]!.revision <= after);
    for (let i = from; i < log.length; i++) yield log[i]!;
  }

  commit({ changes = [], removed = [] }: Commit) {
    for (const change of changes) this.#apply(change);
    for (const revision of removed) this.#log.delete(revision);
    if (removed.length > 0) this.#ordered = [...this.#log.values()];
    return Promise.resolve();
  }

  close() {
    return Promise.resolve();
  }

  #apply(change: Change) {
    this.#log.set(change.revision, change);
    this.#ordered.push(change);
    const at = this.#indexOf(change.key);
    if (change.type === "delete") {
      if (this.#live.delete(change.key)) this.#sorted.splice(at, 1);
      return;
    }
    if (!this.#live.has(change.key)) this.#sorted.splice(at, 0, change.key);
    this.#live.set(change.key, change.revision);
  }

  #indexOf(key: string) {
    return lowerBound(this.#sorted.length, (i) => this.#sorted[i]! < key);
  }

  #range(prefix: string, after: string | undefined): [number, number] {
    const start = after === undefined ? prefix : `${after}\0`;
    return [this.#indexOf(start), this.#indexOf(prefixEnd(prefix))];
  }
}

export const memoryStore = (): Store => new LogStore({ durable: new MemoryBackend(), revision: 0 });
