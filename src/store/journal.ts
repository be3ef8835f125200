// A journal before the tree: a commit is one synced write to a file, and many commits later one
// transaction of the tree. A tree costs several pages and two syncs for every commit, however small; the
// journal costs one, and what changes often is written to the tree once.
//
// There are two files. While the changes of one are carried into the tree, the other takes what is new; a
// file is used again when the tree has all of it. Changes that are not in the tree yet are read from
// memory. After a crash the files are read back; records that the tree has are passed over.
import { mergeSorted } from "../lib/merge-sorted.ts";
import type { Cancel, Clock } from "../lib/clock.ts";
import type { Log } from "../lib/log.ts";
import type { Backend, Commit } from "./backend.ts";
import type { Blocks } from "./blocks.ts";
import type { Change, Head } from "./change.ts";
import { decodeRecords, encodeRecord } from "./journal-record.ts";
import type { JournalDisk } from "./journal-disk.ts";
import { byKey, without } from "./keys.ts";
import { Overlay } from "./overlay.ts";

/** Of each file. */
export const journalBytes = 4 * 2 ** 20;
/** A file is carried when it is this full: there is room for what comes before the other is free. */
const carryShare = 3 / 4;
/** Changes that no other follows wait this long for company. */
const carryMs = 30_000;
/** Changes carried by one transaction: bounds the time it holds the process up. */
const sliceChangesMax = 250;

export interface JournalOptions {
  tree: Backend;
  disks: readonly [JournalDisk, JournalDisk];
  /** The tree has every change up to here. */
  carried: number;
  clock: Clock;
  log: Log;
}

export class JournalBackend implements Backend {
  readonly #tree: Backend;
  readonly #disks: readonly [JournalDisk, JournalDisk];
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #overlay = new Overlay();
  /** Values of a group that has grown so large that the journal would not make it faster. */
  readonly #bytesMax: number;
  #active: 0 | 1 = 0;
  #at = 0;
  #appending: Promise<void> = Promise.resolve();
  #carrying: Promise<void> | undefined;
  /** Both files hold what the tree lacks: nothing is taken until it has been carried. */
  #stuck = false;
  #stopTimer: Cancel | undefined;

  private constructor({ tree, disks, clock, log }: JournalOptions) {
    this.#tree = tree;
    this.#disks = disks;
    this.#bytesMax = disks[0].bytes / 16;
    this.#clock = clock;
    this.#log = log;
  }

  static async open(options: JournalOptions): Promise<JournalBackend> {
    const journal = new JournalBackend(options);
    const found: Change[] = [];
    for (const disk of options.disks) found.push(...decodeRecords(await disk.read()));
    const missing = found.filter(({ revision }) => revision > options.carried);
    journal.#overlay.add(missing.sort((a, b) => a.revision - b.revision));
    if (missing.length > 0) {
      journal.#stuck = true;
      journal.#carryInBackground();
    }
    return journal;
  }

  /** The last revision that only the journal has. */
  get last(): number | undefined {
    return this.#overlay.last;
  }

  revisionOf(key: string) {
    const over = this.#overlay.revisionOf(key);
    return over === undefined ? this.#tree.revisionOf(key) : over || undefined;
  }

  value(revision: number, blocks?: Blocks) {
    return this.#overlay.value(revision) ?? this.#tree.value(revision, blocks);
  }

  keys(prefix: string, after: string | undefined): Iterable<[string, number]> {
    const below = this.#tree.keys(prefix, after);
    const over = this.#overlay.keys(prefix, after);
    if (over.length === 0) return below;
    const shown = without(below, (key) => this.#overlay.hides(key));
    const live = over.filter(([, revision]) => revision > 0);
    return mergeSorted([shown, live], byKey);
  }

  count(prefix: string, after: string | undefined) {
    let count = this.#tree.count(prefix, after);
    for (const [key, revision] of this.#overlay.keys(prefix, after)) {
      const before = this.#tree.revisionOf(key) !== undefined;
      count += Number(revision > 0) - Number(before);
    }
    return count;
  }

  *heads(after: number): Iterable<Head> {
    // What is being carried may be in both.
    const { first = Number.POSITIVE_INFINITY } = this.#overlay;
    for (const head of this.#tree.heads(after)) {
      if (head.revision >= first) break;
      yield head;
    }
    yield* this.#overlay.heads(after);
  }

  /** Changes are committed one group after the other; what else a commit can hold may come meanwhile. */
  async commit(commit: Commit) {
    const { changes = [], removed, compacted, facts } = commit;
    if (this.#stuck) await this.#carry();
    const bytes = changes.reduce((sum, { value }) => sum + value.length, 0);
    if (removed || compacted !== undefined || facts || bytes > this.#bytesMax) {
      await this.#carry();
      return this.#tree.commit(commit);
    }
    const record = encodeRecord(changes);
    while (this.#at + record.length > this.#disks[this.#active].bytes) await this.#carry();
    await (this.#appending = this.#append(record, changes));
    if (this.#at >= this.#disks[0].bytes * carryShare && !this.#carrying) this.#carryInBackground();
    else this.#stopTimer ??= this.#clock.after(carryMs, () => this.#carryInBackground());
  }

  async close() {
    this.#stopTimer?.();
    // What cannot be carried now is read back at the next start.
    await this.#carry().catch((error: unknown) => this.#complain(error));
    for (const disk of this.#disks) await disk.close();
    await this.#tree.close();
  }

  async #append(record: Buffer, changes: readonly Change[]) {
    const [active, at] = [this.#active, this.#at];
    this.#at += record.length;
    try {
      await this.#disks[active].write(record, at);
    } catch (error) {
      if (this.#active === active) this.#at = at;
      throw error;
    }
    this.#overlay.add(changes);
  }

  #carryInBackground() {
    this.#carry().catch((error: unknown) => this.#complain(error));
  }

  #complain(error: unknown) {
    this.#log.error("the journal could not be carried into the tree", { error: String(error) });
  }

  /** Resolves when the tree has all that was committed before the call. */
  async #carry(): Promise<void> {
    await this.#carrying?.catch(() => {});
    await (this.#carrying ??= this.#carryAll().finally(() => (this.#carrying = undefined)));
  }

  async #carryAll() {
    this.#stopTimer?.();
    this.#stopTimer = undefined;
    const appending = this.#appending;
    if (!this.#stuck) {
      this.#active = this.#active === 0 ? 1 : 0;
      this.#at = 0;
    }
    // Its place is in the file that was active until now.
    await appending.catch(() => {});
    let left = this.#overlay.size;
    try {
      while (left > 0) {
        const changes = this.#overlay.oldest(Math.min(left, sliceChangesMax));
        await this.#tree.commit({ changes });
        this.#overlay.forget(changes.length);
        left -= changes.length;
      }
      this.#stuck = false;
    } catch (error) {
      this.#stuck = true;
      throw error;
    }
  }
}
