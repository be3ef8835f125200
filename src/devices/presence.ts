// A device that goes and comes back within its Configuration's grace was never away: its broker stays.
import type { Clock } from "../lib/clock.ts";
import type { Configuration } from "./kinds/configuration.ts";
import type { Seen } from "./plan-instances.ts";

/** Seconds that a device may be away; 0 when absent. */
export const graceAnnotation = "kerb.sh/device-grace-seconds";

export function graceMs({ metadata }: Configuration): number {
  const seconds = Number(metadata.annotations?.[graceAnnotation] ?? 0);
  return Number.isFinite(seconds) && seconds > 0 ? seconds * 1000 : 0;
}

export class Presence {
  readonly #clock: Clock;
  readonly #last = new Map<string, { seen: Seen; at: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Who counts as there now, and when to look again for one whose grace ends. */
  look(seen: Seen[], configuration: Configuration): { present: Seen[]; wakeAfterMs?: number } {
    const now = this.#clock.monotonic();
    const grace = graceMs(configuration);
    for (const one of seen) this.#last.set(one.device.id, { seen: one, at: now });
    const here = new Set(seen.map(({ device }) => device.id));
    const present = [...seen];
    let wakeAfterMs: number | undefined;
    for (const [id, last] of this.#last) {
      if (here.has(id)) continue;
      const leftMs = last.at + grace - now;
      if (leftMs <= 0) this.#last.delete(id);
      else {
        present.push(last.seen);
        wakeAfterMs = Math.min(wakeAfterMs ?? Infinity, leftMs + 1);
      }
    }
    return { present, ...(wakeAfterMs !== undefined && { wakeAfterMs }) };
  }
}
