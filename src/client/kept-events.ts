// What happened while the server was away: events wait on disk and are told when it is back, in their order and
// with their own times. The oldest go first when there are too many.
import type { Clock } from "../lib/clock.ts";
import type { KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Client, Target } from "./client.ts";

export const keptEventsMax = 500;
/** Several are written down together: flash wears. */
const writeEveryMs = 10_000;
const file = "events";

export interface Absence {
  /** Monotonic, as far as this process knows. */
  awayMs: number;
  /** Kept, and told now. */
  events: number;
  /** Too many to keep. */
  dropped: number;
}

interface Files {
  read(name: string): string | undefined;
  write(name: string, text: string): void;
}

interface Kept {
  target: Target;
  event: KubeObject;
}

export interface KeptEventsOptions {
  client: Client;
  files: Files;
  clock: Clock;
  onReturn?: ((absence: Absence) => void) | undefined;
  /** The server went out of reach, or is back. */
  onReach?: () => void;
}

const isAway = (error: unknown) => isStatus(error, "ServiceUnavailable", "Timeout");

export class KeptEvents {
  readonly #options: KeptEventsOptions;
  #kept: Kept[] = [];
  #dropped = 0;
  #awaySince: number | undefined;
  #due: (() => void) | undefined;
  #delivering: Promise<void> | undefined;

  constructor(options: KeptEventsOptions) {
    this.#options = options;
    try {
      this.#kept = JSON.parse(options.files.read(file) ?? "[]") as Kept[];
    } catch {
      // Half written when the power went.
    }
  }

  /** The server did not answer. */
  away() {
    if (this.#awaySince !== undefined) return;
    this.#awaySince = this.#options.clock.monotonic();
    this.#options.onReach?.();
  }

  get isAway() {
    return this.#awaySince !== undefined;
  }

  keep(target: Target, event: KubeObject) {
    this.away();
    this.#kept.push({ target, event });
    while (this.#kept.length > keptEventsMax) {
      this.#kept.shift();
      this.#dropped += 1;
    }
    this.#write();
  }

  /** The server has answered: tells it what waits. */
  back() {
    const { clock, onReturn } = this.#options;
    const since = this.#awaySince;
    this.#awaySince = undefined;
    if (since !== undefined) this.#options.onReach?.();
    if (since === undefined && (this.#kept.length === 0 || this.#delivering)) return;
    const awayMs = since === undefined ? 0 : clock.monotonic() - since;
    const absence = { awayMs, events: this.#kept.length, dropped: this.#dropped };
    this.#dropped = 0;
    this.#delivering ??= this.#deliver().finally(() => (this.#delivering = undefined));
    onReturn?.(absence);
  }

  flush() {
    if (!this.#due) return;
    this.#due();
    this.#due = undefined;
    this.#options.files.write(file, JSON.stringify(this.#kept));
  }

  async #deliver() {
    while (this.#kept.length > 0) {
      const { target, event } = this.#kept[0]!;
      try {
        await this.#options.client.create(target, event);
      } catch (error) {
        if (isAway(error)) return;
        // Its namespace may have gone meanwhile.
      }
      this.#kept.shift();
      this.#write();
    }
  }

  #write() {
    this.#due ??= this.#options.clock.after(writeEveryMs, () => this.flush());
  }
}
