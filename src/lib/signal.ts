// "Something happened": raised any number of times, seen once.

export class Signal {
  #raised = false;
  #wake: (() => void) | undefined;
  readonly #signal: AbortSignal;

  constructor(signal: AbortSignal) {
    this.#signal = signal;
    signal.addEventListener("abort", () => this.#wake?.(), { once: true });
  }

  raise() {
    this.#raised = true;
    this.#wake?.();
  }

  /** Resolves with true once raised since the last call, with false when aborted. One waiter at a time. */
  async next(): Promise<boolean> {
    if (!this.#raised && !this.#signal.aborted) {
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    this.#raised = false;
    return !this.#signal.aborted;
  }
}
