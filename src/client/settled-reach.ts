// A server that is back has answered one question; what the others missed comes in the seconds after. Who would do the
// wrong thing by what was known before the absence takes it as away until then.
import type { Cancel, Clock } from "../lib/clock.ts";
import type { Scope } from "../lib/scope.ts";
import type { Reach } from "./client.ts";

/** All watches begin again as soon as it is back. */
const settleMs = 5000;

export function settledReach(
  reach: Reach,
  { clock, scope }: { clock: Clock; scope: Scope },
): Reach {
  const listeners = new Set<() => void>();
  const tell = () => listeners.forEach((listener) => listener());
  let isAway = reach.isAway();
  let settling: Cancel | undefined;
  const changed = () => {
    settling?.();
    settling = undefined;
    if (!reach.isAway()) {
      settling = clock.after(settleMs, () => {
        isAway = false;
        tell();
      });
    } else if (!isAway) {
      isAway = true;
      tell();
    }
  };
  scope.defer(reach.onChange(changed));
  scope.defer(() => settling?.());
  return {
    isAway: () => isAway,
    onChange: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
