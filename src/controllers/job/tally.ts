// Counting a Job's pods so that each is counted once, whatever crashes in between. A pod holds a
// finalizer until its end was noted by uid in the Job's status (`uncountedTerminatedPods`); only when
// the pod is seen without the finalizer does the uid move into the counters.
import type { KubeObject } from "../../kinds/object.ts";
import { hasFailed, hasFinished, hasSucceeded, isReady, isTerminating } from "../pod-state.ts";
import { judgeFailure } from "./failure-policy.ts";
import { indexOf, parseIndexes } from "./indexes.ts";

export const trackingFinalizer = "batch.kubernetes.io/job-tracking";
/** Uids noted at once, so that the status stays small. */
const uncountedMax = 500;

export const isTracked = (pod: KubeObject) =>
  pod.metadata.finalizers?.includes(trackingFinalizer) ?? false;

export interface Tally {
  /** Counted or noted. */
  succeeded: number;
  failed: number;
  active: KubeObject[];
  ready: number;
  terminating: number;
  /** Indexes done (Indexed only). */
  completed: Set<number>;
  failedIndexes: Set<number>;
  /** Status fields as they are to be written before finalizers are removed. */
  counters: {
    succeeded: number;
    failed: number;
    uncountedTerminatedPods: { succeeded?: string[]; failed?: string[] };
  };
  /** Pods that lose their finalizer once the status is written. */
  release: KubeObject[];
  /** Failures that `podFailurePolicy` says end the Job. */
  fatal: string | undefined;
}

export const isIndexed = (job: KubeObject) => job.spec.completionMode === "Indexed";

/** Must a pod have ended before it is replaced, or is being deleted enough? */
export const waitsForEnd = (job: KubeObject) =>
  job.spec.podReplacementPolicy === "Failed" || job.spec.podFailurePolicy !== undefined;

/** Has this pod failed for the Job's purposes? */
const isFailure = (job: KubeObject, pod: KubeObject) =>
  hasFailed(pod) || (isTerminating(pod) && !waitsForEnd(job) && !hasSucceeded(pod));

/** Its index when it is one of the Job's, as opposed to left from a larger `completions`. */
function validIndex(job: KubeObject, pod: KubeObject): boolean {
  const index = indexOf(pod);
  return index >= 0 && index < (job.spec.completions ?? 0);
}

export function tally(job: KubeObject, pods: readonly KubeObject[], finishing: boolean): Tally {
  const status = job.status ?? {};
  const noted = {
    succeeded: new Set<string>(status.uncountedTerminatedPods?.succeeded),
    failed: new Set<string>(status.uncountedTerminatedPods?.failed),
  };
  const tracked = new Set(pods.filter(isTracked).map(({ metadata }) => metadata.uid));
  const settle = (uids: Set<string>) => {
    const settled = [...uids].filter((uid) => !tracked.has(uid));
    for (const uid of settled) uids.delete(uid);
    return settled.length;
  };
  const counters = {
    succeeded: (status.succeeded ?? 0) + settle(noted.succeeded),
    failed: (status.failed ?? 0) + settle(noted.failed),
  };
  const completed = parseIndexes(status.completedIndexes);
  const release: KubeObject[] = [];
  let fatal: string | undefined;
  const room = () => noted.succeeded.size + noted.failed.size < uncountedMax;
  for (const pod of pods) {
    const verdict = judgeFailure(job, pod);
    if (verdict.message && tracked.has(pod.metadata.uid)) fatal ??= verdict.message;
    const { uid } = pod.metadata;
    if (!tracked.has(uid)) continue;
    if (noted.succeeded.has(uid) || noted.failed.has(uid)) release.push(pod);
    else if (!room()) continue;
    else if (hasSucceeded(pod)) {
      release.push(pod);
      if (!isIndexed(job)) noted.succeeded.add(uid);
      else if (validIndex(job, pod)) completed.add(indexOf(pod));
    } else if (isFailure(job, pod) || finishing) {
      release.push(pod);
      if (verdict.counts) noted.failed.add(uid);
    }
  }
  const active = pods.filter((pod) => !hasFinished(pod) && !isTerminating(pod));
  const failed = counters.failed + noted.failed.size;
  if (isIndexed(job)) counters.succeeded = completed.size;
  return {
    succeeded: isIndexed(job) ? completed.size : counters.succeeded + noted.succeeded.size,
    failed,
    active,
    ready: active.filter(isReady).length,
    terminating: pods.filter((pod) => isTerminating(pod) && !hasFinished(pod)).length,
    completed,
    failedIndexes: failedIndexes(job, pods, completed),
    counters: {
      ...counters,
      uncountedTerminatedPods: {
        ...(noted.succeeded.size > 0 && { succeeded: [...noted.succeeded] }),
        ...(noted.failed.size > 0 && { failed: [...noted.failed] }),
      },
    },
    release,
    fatal,
  };
}

export const failureCountAnnotation = "batch.kubernetes.io/job-index-failure-count";

/** How often the index failed before and with this pod. */
export function failuresOfIndex(job: KubeObject, pods: readonly KubeObject[], index: number) {
  let most = 0;
  for (const pod of pods) {
    if (indexOf(pod) !== index || !isFailure(job, pod)) continue;
    const before = Number(pod.metadata.annotations?.[failureCountAnnotation] ?? 0);
    most = Math.max(most, before + (judgeFailure(job, pod).counts ? 1 : 0));
  }
  return most;
}

function failedIndexes(job: KubeObject, pods: readonly KubeObject[], completed: Set<number>) {
  const limit: number | undefined = job.spec.backoffLimitPerIndex;
  const failed = parseIndexes(job.status?.failedIndexes);
  if (limit === undefined || !isIndexed(job)) return failed;
  for (const pod of pods) {
    if (!validIndex(job, pod) || !isFailure(job, pod)) continue;
    const index = indexOf(pod);
    if (completed.has(index)) continue;
    if (judgeFailure(job, pod).action === "FailIndex") failed.add(index);
    else if (failuresOfIndex(job, pods, index) > limit) failed.add(index);
  }
  return failed;
}
