// What is remembered of a VM's copies while Kerb runs.
import { inTurn } from "../../../lib/in-turn.ts";
import type { InTurn } from "../../../lib/in-turn.ts";
import type { Vm } from "../vm.ts";

interface CopyState {
  /** What is done to the links of its disks, one after another. */
  turn: InTurn;
  /** How many of its disks are just being linked to their copies. */
  linking: number;
  /** Jobs whose end is wanted. */
  ends: Set<string>;
  /** Disks of which a copy gets what it missed, by the filter where writes of the guest wait for it. */
  catchingUp: Map<string, string>;
}

const states = new WeakMap<Vm, CopyState>();

export function stateOf(vm: Vm): CopyState {
  const known = states.get(vm);
  if (known) return known;
  const state = {
    ...{ turn: inTurn(), linking: 0 },
    ...{ ends: new Set<string>(), catchingUp: new Map<string, string>() },
  };
  states.set(vm, state);
  return state;
}
