// Changes that are not in the tree yet, laid over what the tree says.
import type { Change } from "./change.ts";

export class Overlay {
  /** In order of revision. */
  #changes: Change[] = [];
  readonly #byRevision = new Map<number, Change>();
  /** The newest change of each key. */
  readonly #byKey = new Map<string, Change>();

  get size() {
    return this.#changes.length;
  }

  get first(): number | undefined {
    return this.#changes[0]?.revision;
  }

  get last(): number | undefined {
    return this.#changes.at(-1)?.revision;
  }

  add(changes: readonly Change[]) {
    for (const change of changes) {
      this.#changes.push(change);
      this.#byRevision.set(change.revision, change);
      this.#byKey.set(change.key, change);
    }
  }

  /** The oldest changes, `count` at most. */
  oldest(count: number): Change[] {
    return this.#changes.slice(0, count);
  }

  /** The oldest `count` changes are in the tree now. */
  forget(count: number) {
    for (const change of this.#changes.splice(0, count)) {
      this.#byRevision.delete(change.revision);
      if (this.#byKey.get(change.key) === change) this.#byKey.delete(change.key);
    }
  }

  /** The live revision of a key, 0 when it was deleted; undefined when the tree knows. */
  revisionOf(key: string): number | undefined {
    const change = this.#byKey.get(key);
    return change && liveRevision(change);
  }

  value(revision: number): Uint8Array | undefined {
    return this.#byRevision.get(revision)?.value;
  }

  hides(key: string): boolean {
    return this.#byKey.has(key);
  }

  /** Keys under `prefix` behind `after` with what `revisionOf` says of them, in order. */
  keys(prefix: string, after: string | undefined): [string, number][] {
    const found: [string, number][] = [];
    for (const [key, change] of this.#byKey) {
      if (!key.startsWith(prefix) || (after !== undefined && key <= after)) continue;
      found.push([key, liveRevision(change)]);
    }
    return found.sort(([a], [b]) => (a < b ? -1 : 1));
  }

  *heads(after: number): Iterable<Change> {
    for (const change of this.#changes) if (change.revision > after) yield change;
  }
}

const liveRevision = (change: Change) => (change.type === "delete" ? 0 : change.revision);
