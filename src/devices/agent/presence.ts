// When a device counts as there. It is waited for before it does (settle) and after it went (grace), so one that
// flaps moves nothing. What stood before this agent started, and what a handler that died had seen, is held for a
// minute at least: handlers come back late, one by one, and their first words may be few. What is held neither
// goes nor knows less or other than before, unless its paths are others: then containers need the new ones.
import type { Clock } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { Configuration } from "../kinds/configuration.ts";
import type { Found, Told } from "./plan-instances.ts";

const heldMs = 60_000;

interface Held extends Told {
  untilMs: number;
}

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
  readonly #held = new Map<string, Held>();
  #found: ReadonlyMap<string, Found> = new Map();
  #hasLooked = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Who saw these devices is gone, and may come back. */
  hold(ids: ReadonlySet<string>) {
    const untilMs = this.#clock.monotonic() + heldMs;
    for (const [name, { device, paths }] of this.#found) {
      const { properties } = device;
      if (ids.has(device.id)) this.#held.set(name, { properties, paths, untilMs });
    }
  }

  /** Something else is looked for: what it does not see is not there. */
  release() {
    this.#held.clear();
  }

  /** `existing` are the Instances that list this node, with what they tell of their devices. */
  look(
    seen: ReadonlyMap<string, Found>,
    { spec }: Configuration,
    existing: ReadonlyMap<string, Told>,
  ): Present {
    const now = this.#clock.monotonic();
    const graceMs = (spec?.presence?.graceSeconds ?? 0) * 1000;
    const settleMs = (spec?.presence?.settleSeconds ?? 0) * 1000;
    for (const [name, { untilMs }] of this.#held) if (untilMs <= now) this.#held.delete(name);
    if (!this.#hasLooked) this.#inherit(existing, now);
    this.#note(seen, now);
    const present: Present = { found: new Map(), kept: new Set(), away: new Set() };
    const wake = (ms: number) =>
      (present.wakeAfterMs = Math.min(present.wakeAfterMs ?? Infinity, ms + 1));
    for (const [name, { found, sinceMs, goneMs }] of this.#last) {
      const held = this.#held.get(name);
      if (goneMs === undefined) {
        const leftMs = sinceMs + settleMs - now;
        const shown = withHeld(found!, held);
        if (leftMs > 0 && !existing.has(name)) wake(leftMs);
        else present.found.set(name, shown);
        if (held && shown !== found) wake(held.untilMs - now);
        continue;
      }
      const leftMs = Math.max(goneMs + graceMs, held?.untilMs ?? 0) - now;
      // What did not settle was never there.
      if (leftMs <= 0 || !existing.has(name)) this.#last.delete(name);
      else {
        wake(leftMs);
        present.away.add(name);
        if (found) present.found.set(name, withHeld(found, held));
        else present.kept.add(name);
      }
    }
    this.#found = present.found;
    return present;
  }

  /** Only at the first look: later ones are those that this agent gave up and that are not gone yet. */
  #inherit(existing: ReadonlyMap<string, Told>, now: number) {
    this.#hasLooked = true;
    for (const [name, told] of existing) {
      this.#last.set(name, { found: undefined, sinceMs: now, goneMs: now });
      this.#held.set(name, { ...told, untilMs: now + heldMs });
    }
  }

  #note(seen: ReadonlyMap<string, Found>, now: number) {
    for (const [name, found] of seen) {
      const before = this.#last.get(name);
      const sinceMs = before && before.goneMs === undefined ? before.sinceMs : now;
      this.#last.set(name, { found, sinceMs, goneMs: undefined });
    }
    for (const [name, last] of this.#last) if (!seen.has(name)) last.goneMs ??= now;
  }
}

/** A device as it stood, where nothing but what is said of it changed. */
function withHeld(found: Found, held: Held | undefined): Found {
  const { device, paths } = found;
  if (!held || paths !== held.paths) return found;
  if (jsonEqual(device.properties, held.properties)) return found;
  return { ...found, device: { ...device, properties: held.properties } };
}
