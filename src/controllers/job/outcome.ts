// Whether a Job's fate is decided, and why, in upstream's reasons and words.
import type { KubeObject } from "../../kinds/object.ts";
import { conditionOf } from "../pod-state.ts";
import { isIndexed, type Tally } from "./tally.ts";
import { parseIndexes } from "./indexes.ts";

export interface Outcome {
  type: "Complete" | "Failed";
  reason: string;
  message: string;
}

const failed = (reason: string, message: string): Outcome => ({ type: "Failed", reason, message });
const complete = (reason: string, message: string): Outcome => ({
  type: "Complete",
  reason,
  message,
});

/** Restarts of containers in place, which stand for failures when pods restart them. */
function restarts(pods: readonly KubeObject[]): number {
  let sum = 0;
  for (const { status } of pods) {
    if (status?.phase !== "Running" && status?.phase !== "Pending") continue;
    const containers = [
      ...(status.initContainerStatuses ?? []),
      ...(status.containerStatuses ?? []),
    ];
    for (const container of containers) sum += container.restartCount ?? 0;
  }
  return sum;
}

function pastBackoffLimit(job: KubeObject, tallied: Tally): boolean {
  const limit: number = job.spec.backoffLimit ?? 6;
  if (tallied.failed > limit) return true;
  if (job.spec.template.spec.restartPolicy !== "OnFailure") return false;
  const sum = restarts(tallied.active);
  return limit === 0 ? sum > 0 : sum >= limit;
}

/** Milliseconds until the deadline; undefined without one. */
export function deadlineInMs(job: KubeObject, now: number): number | undefined {
  const { activeDeadlineSeconds, suspend } = job.spec;
  if (activeDeadlineSeconds === undefined || suspend || !job.status?.startTime) return undefined;
  return Date.parse(job.status.startTime) + activeDeadlineSeconds * 1000 - now;
}

function failure(job: KubeObject, tallied: Tally, now: number): Outcome | undefined {
  const target = conditionOf(job, "FailureTarget");
  if (target?.status === "True") return failed(target.reason ?? "", target.message ?? "");
  if (tallied.fatal) return failed("PodFailurePolicy", tallied.fatal);
  if (pastBackoffLimit(job, tallied)) {
    return failed("BackoffLimitExceeded", "Job has reached the specified backoff limit");
  }
  if ((deadlineInMs(job, now) ?? 1) <= 0) {
    return failed("DeadlineExceeded", "Job was active longer than specified deadline");
  }
  const { maxFailedIndexes, completions } = job.spec;
  const count = tallied.failedIndexes.size;
  if (count > 0 && maxFailedIndexes !== undefined && count > maxFailedIndexes) {
    const message = "Job has exceeded the specified maximal number of failed indexes";
    return failed("MaxFailedIndexesExceeded", message);
  }
  if (count > 0 && isIndexed(job) && count + tallied.completed.size >= completions) {
    return failed("FailedIndexes", "Job has failed indexes");
  }
  return undefined;
}

function successPolicy(job: KubeObject, { completed }: Tally): Outcome | undefined {
  const rules: any[] = job.spec.successPolicy?.rules ?? [];
  for (const [i, rule] of rules.entries()) {
    const wanted = rule.succeededIndexes && parseIndexes(rule.succeededIndexes);
    const done = wanted
      ? [...wanted].filter((index) => completed.has(index)).length
      : completed.size;
    const enough: number = rule.succeededCount ?? wanted?.size ?? Number.POSITIVE_INFINITY;
    if (done >= enough) return complete("SuccessPolicy", `Matched rules at index ${i}`);
  }
  return undefined;
}

function success(job: KubeObject, tallied: Tally): Outcome | undefined {
  const met = conditionOf(job, "SuccessCriteriaMet");
  if (met?.status === "True") return complete(met.reason ?? "", met.message ?? "");
  const byPolicy = isIndexed(job) && successPolicy(job, tallied);
  if (byPolicy) return byPolicy;
  const { completions } = job.spec;
  const reached =
    completions === undefined || completions === null
      ? tallied.succeeded > 0 && tallied.active.length === 0 && tallied.terminating === 0
      : tallied.succeeded >= completions && tallied.active.length === 0;
  if (!reached) return undefined;
  return complete("CompletionsReached", "Reached expected number of succeeded pods");
}

/** Success that was decided earlier is not undone by a failure seen later, nor the reverse. */
export function outcome(job: KubeObject, tallied: Tally, now: number): Outcome | undefined {
  if (conditionOf(job, "SuccessCriteriaMet")?.status === "True") return success(job, tallied);
  return failure(job, tallied, now) ?? success(job, tallied);
}
