// VirtualMachineInstanceMigration, decided: what is next, from what is there. Pure.
import { conditionOf, isTerminating } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import type { MigrationOptions, MigrationProgress, MigrationTarget } from "../control.ts";
import type { Domain } from "../domain.ts";
import { domainAnnotation } from "../domain.ts";
import type { MigrationConfiguration } from "./policy.ts";

export type MigrationPhase =
  | "Pending"
  | "Scheduling"
  | "Scheduled"
  | "PreparingTarget"
  | "TargetReady"
  | "Running"
  | "Succeeded"
  | "Failed";

export type MigrationStep =
  | { do: "wait" }
  | { do: "fail"; reason: string }
  | { do: "create target" }
  | { do: "phase"; phase: MigrationPhase }
  | { do: "begin" }
  | { do: "follow" }
  | { do: "finish" }
  | { do: "cancel" }
  | { do: "release" };

export interface MigrationState {
  migration: KubeObject;
  vmi: KubeObject | undefined;
  target: KubeObject | undefined;
  source: KubeObject | undefined;
  /** Another migration of the same VMI is under way, and older. */
  isBehind: boolean;
}

const finalPhases = ["Succeeded", "Failed"];
export const isOver = ({ status }: KubeObject) => finalPhases.includes(status?.phase);

const isUp = (pod: KubeObject) =>
  pod.status?.phase === "Running" &&
  (pod.status.containerStatuses ?? []).some(({ state }: any) => state?.running);

const hasEnded = (pod: KubeObject | undefined) =>
  !pod || isTerminating(pod) || finalPhases.includes(pod.status?.phase);

/** Why this VMI does not move; undefined when it does. */
function refusal({ vmi, source }: MigrationState): string | undefined {
  if (!vmi || vmi.metadata.deletionTimestamp) return "VMI does not exist";
  if (vmi.status?.phase !== "Running") return "VMI is not running";
  const able = conditionOf(vmi, "LiveMigratable");
  if (able?.status !== "True") {
    return `VMI is not live migratable: ${able?.message ?? "its node has not said so"}`;
  }
  return source ? undefined : "VMI has no pod";
}

/** The VMI says that it is there. */
const hasMoved = ({ migration, vmi }: MigrationState): boolean => {
  const { migrationUid, completed, failed } = vmi?.status?.migrationState ?? {};
  return migrationUid === migration.metadata.uid && completed === true && !failed;
};

export function planMigration(state: MigrationState): MigrationStep {
  const { migration, target, source, isBehind } = state;
  const phase: MigrationPhase | undefined = migration.status?.phase;
  if (isOver(migration)) return { do: "release" };
  if (hasMoved(state)) return { do: "finish" };
  const isLeaving = migration.metadata.deletionTimestamp !== undefined;
  if (isLeaving) {
    // Its source may have been told to begin already.
    const hasBegun = ["PreparingTarget", "TargetReady", "Running"].includes(phase ?? "");
    if (hasBegun && !hasEnded(source)) return { do: "cancel" };
    return { do: "fail", reason: "it was cancelled" };
  }
  if (phase === undefined) return { do: "phase", phase: "Pending" };
  if (phase === "Pending") {
    if (isBehind) return { do: "wait" };
    const reason = refusal(state);
    return reason ? { do: "fail", reason } : { do: "create target" };
  }
  if (hasEnded(source)) return { do: "fail", reason: "the VMI ended" };
  // What became of the guest is known by whoever sends it, also where its target is gone.
  if (phase === "Running") return { do: "follow" };
  if (hasEnded(target)) return { do: "fail", reason: "the target pod ended" };
  if (phase === "Scheduling") {
    return target!.spec.nodeName ? { do: "phase", phase: "Scheduled" } : { do: "wait" };
  }
  if (phase === "Scheduled") {
    return isUp(target!) ? { do: "phase", phase: "PreparingTarget" } : { do: "wait" };
  }
  return { do: "begin" };
}

const domainIn = (pod: KubeObject): Domain =>
  JSON.parse(pod.metadata.annotations![domainAnnotation]!);

/** Volumes whose content goes along: what was written to, and is not there on both nodes. */
export function volumesToCopy(pod: KubeObject): string[] {
  return domainIn(pod).disks.flatMap(({ name, readOnly, source }) => {
    if (readOnly || source.kind === "cloudInit" || source.kind === "files") return [];
    const isThere =
      ("shared" in source && source.shared) || ("replicated" in source && source.replicated);
    return isThere ? [] : [name];
  });
}

/** Seconds for each GiB of memory, after which a guest may go on at the target before all of it is there. */
const completionSecondsPerGiB = 150;

/** `pod` is the source. */
export function migrationOptions(configuration: MigrationConfiguration, pod: KubeObject) {
  const { bandwidthPerMigration, allowAutoConverge, allowPostCopy, completionTimeoutPerGiB } =
    configuration;
  const bytes = bandwidthPerMigration ? parseQuantity(bandwidthPerMigration) : 0;
  const gibibytes = domainIn(pod).memoryBytes / 2 ** 30;
  const afterMs = (completionTimeoutPerGiB ?? completionSecondsPerGiB) * gibibytes * 1000;
  const options: MigrationOptions = {
    copy: volumesToCopy(pod),
    autoConverge: allowAutoConverge ?? false,
    ...(bytes > 0 && { bandwidthBytesPerSecond: bytes }),
    // Its copies are told at one moment where it writes, and that is when it stands still.
    ...(!allowPostCopy && completionTimeoutPerGiB && { abortAfterMs: afterMs }),
    ...(allowPostCopy && !isReplicated(pod) && afterMs > 0 && { postCopyAfterMs: afterMs }),
  };
  return options;
}

const isReplicated = (pod: KubeObject) =>
  domainIn(pod).disks.some(({ source }) => "replicated" in source && source.replicated);

/** What a migration says where post-copy was allowed and the target cannot. */
export function postCopyCondition({ postCopy }: MigrationTarget) {
  if (!postCopy || postCopy.isAble) return undefined;
  return {
    type: "PostCopyAvailable",
    status: "False" as const,
    reason: "NotSupportedByTarget",
    message: `the guest moves once its memory has: ${postCopy.why}`,
  };
}

export type Outcome =
  | "moving"
  /** What its source sends goes to nobody. */
  | "forsaken"
  /** It runs at the target, and the rest of its memory needs a new way. */
  | "interrupted"
  /**
   * It runs at the target, and needs nothing of the source any more: what it fetches comes from the address that moves
   * with it.
   */
  | "there"
  /** It went on at the target, and is nowhere as a whole any more. */
  | "lost"
  /** It stays where it is. */
  | "failed";

/** What has become of a guest that moves, from what its source says and from its pod at the target. */
export function outcomeOf({ phase }: MigrationProgress, target: KubeObject | undefined): Outcome {
  const isOverThere = !target || finalPhases.includes(target.status?.phase);
  switch (phase) {
    case "copying disks":
    case "running":
      return isOverThere ? "forsaken" : "moving";
    case "post-copy":
      return isOverThere ? "lost" : "moving";
    case "interrupted":
      return isOverThere ? "lost" : "interrupted";
    case "completed":
      // A guest that ended there is one that has moved.
      return target ? "there" : "lost";
    case "lost":
      return "lost";
    default:
      return "failed";
  }
}
