// A guest that leaves, decided: what is next, from the last phase that was noted and from what QEMU says. It is the
// same whether QEMU has just said so or Kerb was started anew in the middle of it. Pure.
import type { MigrationProgress } from "../control.ts";

export type Phase = Exclude<MigrationProgress["phase"], "none">;

export type Step =
  | "nothing"
  | "copy disks"
  | "send memory"
  | "wait"
  /** It stands still: what it wrote is at the target, and it goes on once its copies are let go. */
  | "switch"
  | "enter post-copy"
  | "enter interrupted"
  | "complete"
  | "cancel"
  /** It goes on here. */
  | "fail"
  /** It runs elsewhere or nowhere, and never here again. */
  | "lose";

/** Of QEMU's words for a migration, those that say that the guest has left. */
const gone: Record<string, Step> = {
  "postcopy-active": "enter post-copy",
  "postcopy-paused": "enter interrupted",
  "postcopy-recover": "wait",
  completed: "complete",
};
/** QEMU's word for what leaves: where nothing has, it tells of how the guest arrived, and then of no memory. */
export const leavingStatus = ({ status, ram }: { status?: string; ram?: object }) =>
  status !== undefined && gone[status] && !ram ? "none" : status;

const isUnderWay = (status: string) =>
  ["setup", "active", "pre-switchover", "device", "wait-unplug"].includes(status);

export function nextStep(phase: Phase, status = "none"): Step {
  if (phase === "completed" || phase === "lost") return "nothing";
  // Whatever QEMU says is of a migration before this one.
  if (phase === "copying disks") return "copy disks";
  const left = gone[status];
  if (left) return left;
  if (phase === "post-copy" || phase === "interrupted") return "lose";
  if (status === "cancelling") return "wait";
  if (phase === "failed" || phase === "cancelled") return isUnderWay(status) ? "cancel" : "fail";
  if (status === "none") return "send memory";
  if (status === "pre-switchover") return "switch";
  return isUnderWay(status) ? "wait" : "fail";
}

/** Its memory or what is left of it is on its way. */
export const isLeaving = (phase: Phase | undefined) =>
  phase !== undefined && ["copying disks", "running", "post-copy", "interrupted"].includes(phase);

/** It is no guest of this node any more, or about not to be. */
export const isAway = (phase: Phase | undefined) =>
  phase !== undefined && !["copying disks", "failed", "cancelled"].includes(phase);

export interface CancelFacts {
  phase: Phase | undefined;
  /** QEMU was told to let it go on before all is there. */
  isPostCopyAsked: boolean;
  /** QEMU's words for the migration and for the guest. */
  status: string | undefined;
  runState: string;
}

/** Why a migration cannot be cancelled; undefined where it can. */
export function cancelRefusal({ phase, isPostCopyAsked, status, runState }: CancelFacts) {
  if (phase === "copying disks") return undefined;
  if (phase !== "running") {
    return isAway(phase) ? "runs elsewhere already" : "is not migrating";
  }
  if (nextStep(phase, status) === "complete") return "runs elsewhere already";
  if (isPostCopyAsked) return "goes on elsewhere just now";
  // Its last word is on its way, and whoever has it runs the guest.
  const isLast = runState === "finish-migrate" && status !== "pre-switchover";
  return isLast ? "goes on elsewhere just now" : undefined;
}
