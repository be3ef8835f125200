// A queue between one who puts and one who reads with `for await`. The putter may wait for room, so
// that a slow reader slows its source instead of filling memory.

export class Mailbox<T> implements AsyncIterable<T> {
  readonly #items: T[] = [];
  readonly #roomItems: number;
  #ended = false;
  #failure: unknown;
  #wakeReader: (() => void) | undefined;
  #wakePutter: (() => void) | undefined;

  /** `roomItems`: how many items may wait before `room` makes the putter wait. */
  constructor(roomItems = 16) {
    this.#roomItems = roomItems;
  }

  put(item: T) {
    if (this.#ended) return;
    this.#items.push(item);
    this.#wakeReader?.();
  }

  /** Ends the reader's loop once it has read what is there; with `failure`, the loop throws it. */
  end(failure?: unknown) {
    if (this.#ended) return;
    this.#ended = true;
    this.#failure = failure;
    this.#wakeReader?.();
    this.#wakePutter?.();
  }

  /** Undefined when there is room; else a promise of it. */
  room(): Promise<void> | undefined {
    if (this.#items.length < this.#roomItems || this.#ended) return undefined;
    return new Promise((resolve) => {
      this.#wakePutter = resolve;
    });
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T> {
    for (;;) {
      while (this.#items.length > 0) {
        const item = this.#items.shift()!;
        if (this.#items.length < this.#roomItems) this.#wakePutter?.();
        yield item;
      }
      if (this.#ended) break;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
      });
      this.#wakeReader = undefined;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }
}
