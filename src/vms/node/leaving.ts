// What is known of a migration that leaves from here. It is noted, as QEMU sends on when Kerb ends.
import { readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { MigrationOptions, MigrationTarget } from "../control.ts";
import { isAway } from "./leaving-plan.ts";
import type { Phase } from "./leaving-plan.ts";
import type { Vm } from "./vm.ts";

/** Whoever waits for the next phase is answered by then. */
const answerMsMax = 1000;

interface LeavingNote {
  phase: Phase;
  target: MigrationTarget;
  options: MigrationOptions;
  error?: string;
  /** When its memory went on its way: milliseconds since 1970. */
  sentAt?: number;
  isPostCopyAsked?: true;
}

export interface Leaving {
  note: LeavingNote;
  /** Somebody here waits for its end. */
  isFollowed: boolean;
  /** Its mirrors are let go; until then no other migration begins, whose mirrors have the same names. */
  ended?: Promise<void>;
  /** Told of the next phase. */
  waiting: Set<() => void>;
}

const known = new WeakMap<Vm, Leaving | undefined>();

const fileOf = ({ options }: Vm) => join(options.notes, "leaving.json");

function read(vm: Vm): Leaving | undefined {
  try {
    const note = JSON.parse(readFileSync(fileOf(vm), "utf8")) as LeavingNote;
    return { note, isFollowed: false, waiting: new Set() };
  } catch {
    return undefined;
  }
}

/** The migration that leaves or left last; Kerb knows it after a restart, too. */
export function leavingOf(vm: Vm): Leaving | undefined {
  if (!known.has(vm)) known.set(vm, read(vm));
  return known.get(vm);
}

/** Whole or not at all: Kerb may end at any moment. It holds the migration's key. */
function write(vm: Vm, note: LeavingNote) {
  const file = fileOf(vm);
  writeFileSync(`${file}.new`, JSON.stringify(note), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function beginLeaving(vm: Vm, note: LeavingNote): Leaving {
  const state: Leaving = { note, isFollowed: false, waiting: new Set() };
  known.set(vm, state);
  write(vm, note);
  return state;
}

export function enter(vm: Vm, state: Leaving, phase: Phase, more: Partial<LeavingNote> = {}) {
  state.note = { ...state.note, ...more, phase };
  vm.migratedAway = isAway(phase);
  write(vm, state.note);
  for (const tell of state.waiting) tell();
  state.waiting.clear();
}

export function nextPhase({ options: { clock } }: Vm, { waiting }: Leaving): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(answerMsMax, resolve);
    waiting.add(() => {
      cancel();
      resolve();
    });
  });
}
