// The seam between the log and its place on disk: values of some resources go through a transformer on their
// way down and back. Everything above sees JSON, everything below sees envelopes.
import type { Backend, Commit } from "./backend.ts";
import type { Blocks } from "./blocks.ts";
import type { Change } from "./change.ts";
import { isSealed, keyIdOf, KeyMissing } from "./envelope.ts";
import type { KeyRing } from "./envelope.ts";

export interface SealingOptions {
  ring: KeyRing;
  /** Prefixes of keys, `secrets/`. */
  prefixes: string[];
}

/** How many live objects are under which key id; `plain` counts those under none. */
type KeyUse = Map<string, number>;

export class SealedBackend implements Backend {
  readonly #below: Backend;
  readonly #ring: KeyRing;
  readonly #prefixes: string[];

  /** Throws KeyMissing when something there cannot be read. */
  constructor(below: Backend, { ring, prefixes }: SealingOptions) {
    this.#below = below;
    this.#ring = ring;
    this.#prefixes = prefixes;
    for (const id of this.keyUse().keys()) {
      if (id !== "plain" && !ring.has(id)) throw new KeyMissing(id);
    }
  }

  /** Of live objects. */
  keyUse(): KeyUse {
    const use: KeyUse = new Map();
    for (const prefix of this.#prefixes) {
      for (const [, revision] of this.#below.keys(prefix, undefined)) {
        const id = keyIdOf(this.#below.value(revision)!) ?? "plain";
        use.set(id, (use.get(id) ?? 0) + 1);
      }
    }
    return use;
  }

  /** Live keys whose values are not under the key that seals now. */
  stale(): string[] {
    const keys: string[] = [];
    for (const prefix of this.#prefixes) {
      for (const [key, revision] of this.#below.keys(prefix, undefined)) {
        if (keyIdOf(this.#below.value(revision)!) !== this.#ring.active) keys.push(key);
      }
    }
    return keys;
  }

  /** True when all that is kept, history included, is under the key that seals now. */
  isSettled(): boolean {
    for (const { key, revision } of this.#below.heads(0)) {
      if (!this.#seals(key)) continue;
      const value = this.#below.value(revision);
      if (value && keyIdOf(value) !== this.#ring.active) return false;
    }
    return true;
  }

  value(revision: number, blocks?: Blocks) {
    const bytes = this.#below.value(revision, blocks);
    return bytes && isSealed(bytes) ? this.#ring.open(bytes, revision) : bytes;
  }

  commit(commit: Commit) {
    if (!this.#ring.active || !commit.changes?.some(({ key }) => this.#seals(key))) {
      return this.#below.commit(commit);
    }
    const changes = commit.changes.map((change): Change => {
      if (!this.#seals(change.key)) return change;
      return { ...change, value: this.#ring.seal(change.value, change.revision) };
    });
    return this.#below.commit({ ...commit, changes });
  }

  revisionOf(key: string) {
    return this.#below.revisionOf(key);
  }

  keys(prefix: string, after: string | undefined) {
    return this.#below.keys(prefix, after);
  }

  count(prefix: string, after: string | undefined) {
    return this.#below.count(prefix, after);
  }

  heads(after: number) {
    return this.#below.heads(after);
  }

  close() {
    return this.#below.close();
  }

  #seals(key: string) {
    return this.#prefixes.some((prefix) => key.startsWith(prefix));
  }
}
