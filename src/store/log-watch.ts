// A watch is a reading position in the log. While it lags it reads from the log in slices; once it has
// caught up it is fed, and the change-over happens within one turn, so nothing is missed or told twice.
import { setImmediate } from "node:timers/promises";
import { Compacted, WatcherTooSlow } from "./store.ts";
import type { StoreEvent, Watch } from "./store.ts";

/** Events that may wait for a slow reader before it is dropped. */
export const queuedEventsMax = 10_000;
const replaySliceChanges = 1000;

export interface WatchSource {
  /** The next events behind `after`, from at most `limit` changes, and the position they lead to. */
  replay(after: number, limit: number): { events: StoreEvent[]; position: number };
  revision(): number;
  compacted(): number;
  subscribe(listener: (events: StoreEvent[]) => void): () => void;
  onClose(): void;
}

export class LogWatch implements Watch {
  readonly #source: WatchSource;
  #position: number;
  #queue: StoreEvent[] = [];
  #unsubscribe: (() => void) | undefined;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
  #closed = false;

  constructor(source: WatchSource, after: number) {
    this.#source = source;
    this.#position = after;
    if (after >= source.revision()) this.#goLive();
  }

  /** Closes the watch when `signal` aborts. */
  endWith(signal: AbortSignal | undefined) {
    if (signal?.aborted) this.close();
    else signal?.addEventListener("abort", () => this.close(), { once: true });
  }

  close() {
    if (this.#closed) return;
    this.#closed = true;
    this.#unsubscribe?.();
    this.#queue = [];
    this.#source.onClose();
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<StoreEvent[]> {
    try {
      while (!this.#closed) {
        if (!this.#unsubscribe) {
          const events = this.#replay();
          if (events.length > 0) yield events;
          else await setImmediate();
        } else if (this.#queue.length > 0) {
          yield this.#take();
        } else if (this.#failure) {
          throw this.#failure;
        } else {
          await new Promise<void>((resolve) => (this.#wake = resolve));
        }
      }
    } finally {
      this.close();
    }
  }

  #take(): StoreEvent[] {
    const events = this.#queue;
    this.#queue = [];
    // What such an event replaced may be gone, so it can no longer be told whole.
    const compacted = this.#source.compacted();
    if (events[0]!.revision <= compacted) throw new Compacted(compacted);
    return events;
  }

  #replay(): StoreEvent[] {
    const { events, position } = this.#source.replay(this.#position, replaySliceChanges);
    this.#position = position;
    if (position >= this.#source.revision()) this.#goLive();
    return events;
  }

  #goLive() {
    const after = this.#position;
    this.#unsubscribe = this.#source.subscribe((events) => {
      const passed = events[0]!.revision > after;
      const fresh = passed ? events : events.filter((event) => event.revision > after);
      if (this.#queue.length + fresh.length > queuedEventsMax) {
        this.#failure = new WatcherTooSlow(`${queuedEventsMax} events wait for a watcher`);
        this.#unsubscribe?.();
      } else {
        for (const event of fresh) this.#queue.push(event);
      }
      this.#wake?.();
    });
  }
}
