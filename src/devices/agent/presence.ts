// When a device counts as there. It is waited for before it does (settle) and after it went (grace), so one that
// flaps moves nothing. What stood before this agent started has its grace from then on, and a minute at least: of
// several handlers that see devices for one Configuration the last may come back much later than the first.
import type { Clock } from "../../lib/clock.ts";
import type { Configuration } from "../kinds/configuration.ts";
import type { Found } from "./plan-instances.ts";

const earlierMsMin = 60_000;

interface Last {
  /** Undefined for an Instance of an earlier agent. */
  found: Found | undefined;
  /** Since when it was seen without a break. */
  sinceMs: number;
  /** Undefined while it is seen. */
  goneMs: number | undefined;
}

export interface Present {
  found: Map<string, Found>;
  /** Instances that stay though nobody knows their device any more. */
  kept: Set<string>;
  /** Those of both that are not seen now. */
  away: Set<string>;
  /** When to look again. */
  wakeAfterMs?: number;
}

export class Presence {
  readonly #clock: Clock;
  readonly #last = new Map<string, Last>();
  #hasLooked = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** `existing` are the names of the Instances that list this node. */
  look(
    seen: ReadonlyMap<string, Found>,
    { spec }: Configuration,
    existing: ReadonlySet<string>,
  ): Present {
    const now = this.#clock.monotonic();
    const graceMs = (spec?.presence?.graceSeconds ?? 0) * 1000;
    const settleMs = (spec?.presence?.settleSeconds ?? 0) * 1000;
    this.#note(seen, existing, now);
    const present: Present = { found: new Map(), kept: new Set(), away: new Set() };
    const wake = (ms: number) =>
      (present.wakeAfterMs = Math.min(present.wakeAfterMs ?? Infinity, ms + 1));
    for (const [name, last] of this.#last) {
      const { found, sinceMs, goneMs } = last;
      if (goneMs === undefined) {
        const leftMs = sinceMs + settleMs - now;
        if (leftMs > 0 && !existing.has(name)) wake(leftMs);
        else present.found.set(name, found!);
        continue;
      }
      const leftMs = goneMs + (found ? graceMs : Math.max(graceMs, earlierMsMin)) - now;
      // What did not settle was never there.
      if (leftMs <= 0 || !existing.has(name)) this.#last.delete(name);
      else {
        wake(leftMs);
        present.away.add(name);
        if (found) present.found.set(name, found);
        else present.kept.add(name);
      }
    }
    return present;
  }

  #note(seen: ReadonlyMap<string, Found>, existing: ReadonlySet<string>, now: number) {
    for (const [name, found] of seen) {
      const before = this.#last.get(name);
      const sinceMs = before && before.goneMs === undefined ? before.sinceMs : now;
      this.#last.set(name, { found, sinceMs, goneMs: undefined });
    }
    // Later ones are those that this agent gave up and that are not gone yet.
    for (const name of this.#hasLooked ? [] : existing) {
      if (this.#last.has(name)) continue;
      this.#last.set(name, { found: undefined, sinceMs: now, goneMs: now });
    }
    for (const [name, last] of this.#last) if (!seen.has(name)) last.goneMs ??= now;
    this.#hasLooked = true;
  }
}
