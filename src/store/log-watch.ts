// A watch is a reading position in the log. While it lags it reads from the log in slices; once it has
// caught up it is fed, and the change-over happens within one turn, so nothing is missed or told twice.
import { WatcherTooSlow } from "./store.ts";
import type { StoreEvent, Watch } from "./store.ts";

/** Events that may wait for a slow reader before it is dropped. */
export const queuedEventsMax = 10_000;
const replaySliceEvents = 1000;

export interface WatchSource {
  /** The next events behind `after`, at most `limit`, and the position they lead to. */
  replay(prefix: string, after: number, limit: number): { events: StoreEvent[]; position: number };
  revision(): number;
  subscribe(prefix: string, listener: (events: StoreEvent[]) => void): () => void;
}

export class LogWatch implements Watch {
  readonly #source: WatchSource;
  readonly #prefix: string;
  #position: number;
  #queue: StoreEvent[] = [];
  #unsubscribe: (() => void) | undefined;
  #wake: (() => void) | undefined;
  #failure: Error | undefined;
  #closed = false;

  constructor(source: WatchSource, prefix: string, after: number, signal?: AbortSignal) {
    this.#source = source;
    this.#prefix = prefix;
    this.#position = after;
    signal?.addEventListener("abort", () => this.close(), { once: true });
    if (signal?.aborted) this.close();
    if (after >= source.revision()) this.#goLive();
  }

  close() {
    this.#closed = true;
    this.#unsubscribe?.();
    this.#queue = [];
    this.#wake?.();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<StoreEvent[]> {
    try {
      while (!this.#closed) {
        const events = this.#unsubscribe ? this.#take() : this.#replay();
        if (events.length > 0) yield events;
        else if (this.#failure) throw this.#failure;
        else if (this.#unsubscribe) await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.close();
    }
  }

  #take(): StoreEvent[] {
    const events = this.#queue;
    this.#queue = [];
    return events;
  }

  #replay(): StoreEvent[] {
    const { events, position } = this.#source.replay(
      this.#prefix,
      this.#position,
      replaySliceEvents,
    );
    this.#position = position;
    if (position >= this.#source.revision()) this.#goLive();
    return events;
  }

  #goLive() {
    const after = this.#position;
    this.#unsubscribe = this.#source.subscribe(this.#prefix, (events) => {
      const fresh = after > 0 ? events.filter((event) => event.revision > after) : events;
      if (this.#queue.length + fresh.length > queuedEventsMax) {
        this.#failure = new WatcherTooSlow(`${queuedEventsMax} events wait for a watcher`);
        this.#unsubscribe?.();
      } else {
        this.#queue.push(...fresh);
      }
      this.#wake?.();
    });
  }
}
