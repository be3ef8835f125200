// All that a soak does, in the order in which it is done first.
import { joinedMachine } from "./joined.ts";
import { firstTrials, ownTrials } from "./trials.ts";

export const trials = [...ownTrials, joinedMachine];

/** Once, so that what is made at the first use is there before it is counted. */
export const warmUp = [...firstTrials, joinedMachine];
