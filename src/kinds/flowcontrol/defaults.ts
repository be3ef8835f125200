// Defaults of the flowcontrol group that no schema expresses.
import type { Draft } from "../object.ts";

export function flowSchemaDefaults({ spec }: Draft) {
  if (spec) spec["matchingPrecedence"] ||= 1000;
}

export function priorityLevelDefaults({ spec }: Draft) {
  const { limited, exempt } = spec ?? {};
  if (limited) {
    limited.nominalConcurrencyShares ??= 30;
    limited.lendablePercent ??= 0;
    const queuing = limited.limitResponse?.queuing;
    if (queuing) {
      queuing.queues ||= 64;
      queuing.handSize ||= 8;
      queuing.queueLengthLimit ||= 50;
    }
  }
  if (exempt) {
    exempt.nominalConcurrencyShares ??= 0;
    exempt.lendablePercent ??= 0;
  }
}
