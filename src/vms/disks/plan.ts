// DataVolume, decided: from its claim and the pod that fills it to its phase, and what happens next. Pure.
import { conditionOf, isReady, withCondition } from "../../controllers/pod-state.ts";
import type { Condition } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { exitCodes } from "./task.ts";
import type { Progress } from "./task.ts";

/** The wait after the n-th failure in a row is n times this. */
const retryMsStep = 5000;
const retryMsMax = 120_000;

export interface FillSeen {
  dv: KubeObject;
  /** `http`, `upload`, `pvc` ... */
  kind: string;
  claim: KubeObject | undefined;
  pod: KubeObject | undefined;
  progress: Progress | undefined;
  /** Why its pod is not made yet. */
  waitsFor?: string;
  now: number;
}

export interface FillPlan {
  createPod: boolean;
  deletePod: boolean;
  status: any;
  wakeAfterMs?: number;
  /** What just went wrong, for an event. */
  failure?: string;
}

const words: Record<string, { scheduled: string; running: string }> = {
  upload: { scheduled: "UploadScheduled", running: "UploadReady" },
  pvc: { scheduled: "CloneScheduled", running: "CloneInProgress" },
};
const importing = { scheduled: "ImportScheduled", running: "ImportInProgress" };

export const isDone = ({ status }: KubeObject) => ["Succeeded", "Failed"].includes(status?.phase);

/** It says that its pod runs. */
export const hasBegun = ({ status }: KubeObject) => /(InProgress|Ready)$/.test(status?.phase ?? "");

const terminated = (pod: KubeObject) =>
  pod.status?.containerStatuses?.map(({ state }: any) => state?.terminated).find(Boolean);

/** Why its container does not run yet, as where an image is not to be had. */
const waiting = (pod: KubeObject): { reason?: string; message?: string } | undefined =>
  pod.status?.containerStatuses?.map(({ state }: any) => state?.waiting).find(Boolean);

const percentOf = ({ doneBytes, totalBytes }: Progress) =>
  totalBytes ? `${Math.min((doneBytes / totalBytes) * 100, 99.99).toFixed(2)}%` : "N/A";

interface Outcome {
  phase: string;
  running: Condition;
  progress?: string;
}

const condition = (
  type: string,
  status: Condition["status"],
  reason: string,
  message = "",
): Condition => ({
  ...{ type, status, reason, message },
});
const running = (status: Condition["status"], reason: string, message = "") =>
  condition("Running", status, reason, message);

function succeeded(word: string): Outcome {
  const message = `${word.replace(/(InProgress|Ready)$/, "")} Complete`;
  return {
    phase: "Succeeded",
    running: running("False", "Completed", message),
    progress: "100.0%",
  };
}

function outcomeOf({ dv, kind, claim, pod, progress, waitsFor }: FillSeen): Outcome {
  const { scheduled, running: word } = words[kind] ?? importing;
  const before: string = dv.status?.phase ?? "";
  const known: string | undefined = dv.status?.progress;
  if (waitsFor) return { phase: "Pending", running: running("False", "Pending", waitsFor) };
  if (!claim) return { phase: "Pending", running: running("False", "Pending", "No PVC found") };
  if (!pod || pod.metadata.deletionTimestamp) {
    const old = dv.status?.conditions?.find((one: Condition) => one.type === "Running");
    return {
      phase: before || "Pending",
      running: old ?? running("False", "Pending"),
      ...(known && { progress: known }),
    };
  }
  switch (pod.status?.phase) {
    case "Succeeded":
      return succeeded(word);
    case "Failed": {
      const { exitCode, message = "" } = terminated(pod) ?? {};
      const phase = exitCode === exitCodes.hopeless ? "Failed" : word;
      const why = message.trim() || pod.status.message || `exit code ${exitCode ?? "unknown"}`;
      return { phase, running: running("False", "Error", why), ...(known && { progress: known }) };
    }
    case "Running":
      // What it says to be done is on the disk; that it ends as well tells nobody more.
      if (progress?.phase === "done") return succeeded(word);
      return {
        // Nobody sends anything before somebody listens.
        phase: kind === "upload" && !isReady(pod) ? scheduled : word,
        running: running("True", "Pod is running"),
        progress: progress ? percentOf(progress) : (known ?? "N/A"),
      };
    default: {
      const placed = conditionOf(pod, "PodScheduled");
      const why = placed?.status === "False" ? placed : waiting(pod);
      return {
        phase: scheduled,
        running: running("False", why?.reason ?? "Pending", why?.message),
        progress: "N/A",
      };
    }
  }
}

function bound(claim: KubeObject | undefined): Condition {
  const phase: string = claim?.status?.phase ?? "";
  if (phase === "Bound") {
    return condition("Bound", "True", "Bound", `PVC ${claim!.metadata.name} Bound`);
  }
  return condition(
    "Bound",
    "False",
    claim ? "Pending" : "NotFound",
    claim ? `PVC ${claim.metadata.name} Pending` : "No PVC found",
  );
}

export function planFill(seen: FillSeen): FillPlan {
  const { dv, claim, pod, now, waitsFor } = seen;
  if (isDone(dv))
    return {
      createPod: false,
      deletePod: pod !== undefined && !pod.metadata.deletionTimestamp,
      status: dv.status,
    };
  const { phase, running: ran, progress }: Outcome = outcomeOf(seen);
  const failed = pod?.status?.phase === "Failed" && !pod.metadata.deletionTimestamp;
  const over = phase === "Succeeded" || phase === "Failed";
  const restartCount = (dv.status?.restartCount ?? 0) + (failed && phase !== "Failed" ? 1 : 0);
  const time = timestamp(now);
  const ready = condition(
    "Ready",
    phase === "Succeeded" ? "True" : "False",
    phase === "Succeeded" ? "Completed" : phase,
    "",
  );
  const conditions = [ran, bound(claim), ready].reduce<Condition[]>((list, one) => {
    const { lastTransitionTime: _, ...rest } = one;
    return withCondition(list, rest, time);
  }, dv.status?.conditions ?? []);
  const status = {
    ...dv.status,
    ...{ phase, conditions, restartCount },
    ...(progress && { progress }),
    ...(claim && { claimName: claim.metadata.name }),
  };
  const since = Date.parse(ran.lastTransitionTime ?? "") || 0;
  const waitMs =
    restartCount > 0 ? since + Math.min(retryMsStep * restartCount, retryMsMax) - now : 0;
  const createPod = !pod && claim !== undefined && !waitsFor && !over && waitMs <= 0;
  const isRunning = pod?.status?.phase === "Running";
  return {
    createPod,
    deletePod: pod !== undefined && !pod.metadata.deletionTimestamp && (failed || over),
    status,
    ...(failed && { failure: ran.message ?? "" }),
    // Its answer is waited for anew.
    ...(isRunning && !over && { wakeAfterMs: progress ? 0 : 2000 }),
    ...(!pod && waitMs > 0 && { wakeAfterMs: waitMs }),
  };
}
