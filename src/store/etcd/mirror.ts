// A copy of what etcd holds, in order of revision, with as much of the past as clients come back for. All
// reading and watching happens here; etcd is only asked how new the copy must be.
import type { Clock } from "../../lib/clock.ts";
import type { Change } from "../change.ts";
import { forget } from "../forget.ts";
import { LogReader } from "../log-reader.ts";
import { MemoryBackend } from "../memory.ts";
import { Compacted } from "../store.ts";
import type { StoreEvent, Watch } from "../store.ts";
import { Watches } from "../watches.ts";

interface Waiting {
  revision: number;
  resolve: (reached: boolean) => void;
}

export class Mirror {
  readonly #watches = new Watches(() => this.#reader);
  readonly #clock: Clock;
  #backend = new MemoryBackend();
  #reader: LogReader;
  #waiting: Waiting[] = [];
  #closed = false;

  constructor(state: Change[], revision: number, clock: Clock) {
    this.#clock = clock;
    this.#reader = this.#hold(state, revision);
  }

  get reader() {
    return this.#reader;
  }

  get revision() {
    return this.#reader.published;
  }

  /** Takes what happened up to `revision`, in order, and tells it. */
  apply(changes: Change[], revision: number) {
    void this.#backend.commit({ changes });
    this.#reader.published = Math.max(revision, this.#reader.published);
    this.#settle();
    this.#watches.publish(changes.map((change) => this.#reader.eventOf(change)));
  }

  /** Begins anew: what lies between is lost, and every watcher that would have been told of it lists again. */
  replace(state: Change[], revision: number) {
    const events = this.#difference(state, revision);
    this.#reader = this.#hold(state, revision);
    this.#settle();
    this.#watches.publish(events);
  }

  /** True once all up to `revision` is here, false after `patienceMs` or at the end. */
  reached(revision: number, patienceMs: number): Promise<boolean> {
    if (this.revision >= revision) return Promise.resolve(true);
    if (this.#closed) return Promise.resolve(false);
    return new Promise((done) => {
      const waiting = { revision, resolve: (reached: boolean) => (cancel(), done(reached)) };
      const cancel = this.#clock.after(patienceMs, () => {
        this.#waiting = this.#waiting.filter((one) => one !== waiting);
        done(false);
      });
      this.#waiting.push(waiting);
    });
  }

  subscribe(prefix: string, listener: (events: StoreEvent[]) => void) {
    return this.#watches.subscribe(prefix, listener);
  }

  /** Throws Compacted. */
  watch(prefix: string, options: { after: number; signal?: AbortSignal }): Watch {
    const { compacted } = this.#reader;
    if (options.after < compacted) throw new Compacted(compacted);
    return this.#watches.watch(prefix, options);
  }

  /** Forgets history up to `revision`; false when that is forgotten already. */
  async compact(revision: number): Promise<boolean> {
    const from = this.#reader.compacted;
    const upTo = Math.min(revision, this.revision);
    if (upTo <= from) return false;
    this.#reader.compacted = upTo;
    await forget(this.#backend, { from, upTo, stopped: () => this.#closed });
    return true;
  }

  close() {
    this.#closed = true;
    this.#watches.close();
    for (const { resolve } of this.#waiting.splice(0)) resolve(false);
  }

  #hold(state: Change[], revision: number) {
    this.#backend = new MemoryBackend();
    void this.#backend.commit({ changes: state });
    return new LogReader([this.#backend], { published: revision, compacted: revision });
  }

  #settle() {
    const { revision } = this;
    const reached = this.#waiting.filter((one) => one.revision <= revision);
    if (reached.length === 0) return;
    this.#waiting = this.#waiting.filter((one) => one.revision > revision);
    for (const { resolve } of reached) resolve(true);
  }

  #difference(state: Change[], revision: number): StoreEvent[] {
    const events: StoreEvent[] = [];
    const kept = new Set<string>();
    for (const { key, value, revision: at } of state) {
      kept.add(key);
      const old = this.#reader.get(key);
      if (old?.revision === at) continue;
      const type = old ? "update" : "create";
      events.push({ type, key, value, previous: old?.value, revision: at });
    }
    for (const { key, value } of this.#reader.list("", {}).entries) {
      if (!kept.has(key)) events.push({ type: "delete", key, value, previous: value, revision });
    }
    return events;
  }
}
