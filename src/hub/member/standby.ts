// A hub may be gone for good. A site that was told of another, and has not been heard by its own for a while,
// introduces itself there; people at that hub, or a token of theirs, decide. As soon as its own hub hears it
// again it stays.
import type { Clock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";

export const silenceMsMax = 10 * 60_000;
/** Of a hub whose sites are to be heard seldom. */
const leasesMissedMax = 3;
const lookEveryMs = 30_000;

export interface WatchOptions {
  /** The hub was silent for too long; what this starts ends with its scope. Undefined: there is no other hub. */
  silent: (during: Scope) => Promise<void> | undefined;
  clock: Clock;
  log: Log;
  scope: Scope;
}

/** Returns what is to be called whenever the hub has heard the site, with the time within which it should again. */
export function watchHub({ silent, clock, log, scope }: WatchOptions) {
  let heardAt = clock.monotonic();
  let patienceMs = silenceMsMax;
  let elsewhere: Scope | undefined;
  const look = () => {
    if (elsewhere || clock.monotonic() - heardAt < patienceMs) return;
    const during = scope.child();
    const going = silent(during);
    if (!going) return;
    log.warn("the hub was not heard for long: trying the other one", {
      minutes: silenceMsMax / 60_000,
    });
    elsewhere = during;
    going.catch((error: Error) => {
      if (!during.closed) log.warn("the other hub is not reached", { error: error.message });
    });
  };
  scope.defer(clock.every(lookEveryMs, look));
  return (withinMs: number) => {
    patienceMs = Math.max(silenceMsMax, leasesMissedMax * withinMs);
    heardAt = clock.monotonic();
    void elsewhere?.close();
    elsewhere = undefined;
  };
}
