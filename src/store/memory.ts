// A store that forgets: for tests, simulations, and the volatile part of the durable store.
import type { Backend } from "./backend.ts";
import type { Change } from "./change.ts";
import { LogStore } from "./log-store.ts";
import type { Store } from "./store.ts";

/** Index of the first key that is not before `key`. */
function lowerBound(keys: string[], key: string): number {
  let low = 0;
  let high = keys.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (keys[middle]! < key) low = middle + 1;
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
  /** Insertion order is revision order. */
  readonly #log = new Map<number, Change>();

  revisionOf(key: string) {
    return this.#live.get(key);
  }

  change(revision: number) {
    return this.#log.get(revision);
  }

  *keys(prefix: string, after: string | undefined): Iterable<[string, number]> {
    const [from, to] = this.#range(prefix, after);
    for (const key of this.#sorted.slice(from, to)) yield [key, this.#live.get(key)!];
  }

  count(prefix: string, after: string | undefined) {
    const [from, to] = this.#range(prefix, after);
    return Math.max(0, to - from);
  }

  *changes(after: number): Iterable<Change> {
    for (const change of this.#log.values()) if (change.revision > after) yield change;
  }

  commit(changes: Change[], removed: number[]) {
    for (const change of changes) this.#apply(change);
    for (const revision of removed) this.#log.delete(revision);
    return Promise.resolve();
  }

  close() {
    return Promise.resolve();
  }

  #apply(change: Change) {
    this.#log.set(change.revision, change);
    const at = lowerBound(this.#sorted, change.key);
    if (change.type === "delete") {
      if (this.#live.delete(change.key)) this.#sorted.splice(at, 1);
      return;
    }
    if (!this.#live.has(change.key)) this.#sorted.splice(at, 0, change.key);
    this.#live.set(change.key, change.revision);
  }

  #range(prefix: string, after: string | undefined): [number, number] {
    const start = after === undefined ? prefix : `${after}\0`;
    return [lowerBound(this.#sorted, start), lowerBound(this.#sorted, prefixEnd(prefix))];
  }
}

export const memoryStore = (): Store => new LogStore({ durable: new MemoryBackend(), revision: 0 });
