// How far the program in a disk's pod is, for those who ask and those who wait for its end.
import type { Clock } from "../../lib/clock.ts";
import type { Progress } from "./task.ts";

/** Who waits is told how far it is at least so often. */
const answerMsMax = 1000;

export class TaskProgress {
  readonly #clock: Clock;
  readonly #waiting = new Set<() => void>();
  #now: Progress = { phase: "waiting", doneBytes: 0 };

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get now(): Progress {
    return this.#now;
  }

  tell(phase: Progress["phase"]) {
    return (doneBytes: number, totalBytes?: number) => {
      this.#now = { phase, doneBytes, ...(totalBytes !== undefined && { totalBytes }) };
    };
  }

  /** All is done, and on the disk. */
  end() {
    this.#now = { ...this.#now, phase: "done" };
    for (const go of this.#waiting) go();
    this.#waiting.clear();
  }

  async untilDone(): Promise<Progress> {
    if (this.#now.phase !== "done") await this.#next();
    return this.#now;
  }

  #next(): Promise<void> {
    return new Promise((resolve) => {
      const go = () => {
        cancel();
        this.#waiting.delete(go);
        resolve();
      };
      const cancel = this.#clock.after(answerMsMax, go);
      this.#waiting.add(go);
    });
  }
}
