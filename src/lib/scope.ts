// Everything started has one owner and one way to stop. A Scope collects what was started in it and
// stops all of it, last first, exactly once.

export type Stop = () => void | Promise<void>;

export class Scope {
  readonly #stops: Stop[] = [];
  readonly #controller = new AbortController();
  #closing: Promise<void> | undefined;

  /** Aborts at the start of `close`; pass it to whatever takes one. */
  get signal() {
    return this.#controller.signal;
  }

  get closed() {
    return this.#closing !== undefined;
  }

  /** Registers what stops a thing just started. On a closed scope it runs at once. */
  defer(stop: Stop) {
    if (this.#closing) void stop();
    else this.#stops.push(stop);
  }

  /** A scope that closes with this one, and may close earlier. */
  child(): Scope {
    const child = new Scope();
    const stop = () => child.close();
    this.defer(stop);
    child.defer(() => {
      const at = this.#stops.indexOf(stop);
      if (at >= 0) this.#stops.splice(at, 1);
    });
    return child;
  }

  /** Stops everything, last started first. Every stop runs even when one fails; the first failure is thrown. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close() {
    this.#controller.abort(new Error("stopped"));
    const failures: unknown[] = [];
    for (const stop of this.#stops.splice(0).reverse()) {
      try {
        await stop();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }

  [Symbol.asyncDispose]() {
    return this.close();
  }
}
