// Who follows a log: listeners that hear what is published from now on, and watches, which may begin in its past.
import { FanOut } from "./fan-out.ts";
import type { LogReader } from "./log-reader.ts";
import { LogWatch } from "./log-watch.ts";
import type { StoreEvent, Watch } from "./store.ts";

export class Watches {
  readonly #reader: () => LogReader;
  readonly #fanOut = new FanOut();
  readonly #open = new Set<LogWatch>();

  /** The reader is asked for anew each time, since a log may be replaced. */
  constructor(reader: () => LogReader) {
    this.#reader = reader;
  }

  publish(events: StoreEvent[]) {
    this.#fanOut.publish(events);
  }

  subscribe(prefix: string, listener: (events: StoreEvent[]) => void) {
    return this.#fanOut.subscribe(prefix, listener);
  }

  /** From `after`, which the caller knows not to be forgotten. */
  watch(prefix: string, { after, signal }: { after: number; signal?: AbortSignal }): Watch {
    const watch = new LogWatch(
      {
        replay: (from, limit) => this.#reader().replay(prefix, from, limit),
        revision: () => this.#reader().published,
        compacted: () => this.#reader().compacted,
        subscribe: (listener) => this.subscribe(prefix, listener),
        onClose: () => this.#open.delete(watch),
      },
      after,
    );
    this.#open.add(watch);
    watch.endWith(signal);
    return watch;
  }

  close() {
    for (const watch of this.#open) watch.close();
  }
}
