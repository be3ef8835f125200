import { sleep } from "../../lib/clock.ts";
import type { Clock } from "../../lib/clock.ts";
import type { GpuWorld } from "./files.ts";

/** A driver that nobody keeps loaded is loaded first, card by card. */
const answerMsMax = 30_000;

export type Asking = (args: string[], program?: string) => Promise<string>;

/** Programs of the driver's, of which one may never answer. */
export class Programs {
  readonly #world: GpuWorld;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  /** Of those that run; one that hangs is not joined by others. */
  #running = 0;
  isLate = false;

  constructor(world: GpuWorld, clock: Clock, signal: AbortSignal) {
    this.#world = world;
    this.#clock = clock;
    this.#signal = signal;
  }

  /** What it prints; "" where it is missing, or does not answer. */
  readonly ask: Asking = async (args, program = "nvidia-smi") => {
    if (this.#running > 0) return "";
    this.#running += 1;
    const nothing = () => "";
    const said = this.#world
      .run(program, args)
      .catch(nothing)
      .finally(() => (this.#running -= 1));
    const late = sleep(this.#clock, answerMsMax, this.#signal).then(() => undefined, nothing);
    const answer = await Promise.race([said, late]);
    this.isLate = answer === undefined;
    return answer ?? "";
  };
}
