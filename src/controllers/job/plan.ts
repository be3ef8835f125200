// What a Job does next: count, decide, and only then start or stop pods.
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import {
  conditionOf,
  hasFailed,
  hasSucceeded,
  isReady,
  isTrue,
  withCondition,
  type Condition,
} from "../pod-state.ts";
import { formatIndexes, indexOf } from "./indexes.ts";
import { deadlineInMs, outcome, type Outcome } from "./outcome.ts";
import { failuresOfIndex, isIndexed, tally, waitsForEnd, type Tally } from "./tally.ts";

export interface Input {
  job: KubeObject;
  /** The pods it controls. */
  pods: KubeObject[];
  /** Wall clock, ms. */
  now: number;
}

/** A pod to start; `index` for Indexed Jobs, with how often it failed when that is limited. */
export interface NewPod {
  index?: number;
  failures?: number;
}

export interface Event {
  type: "Normal" | "Warning";
  reason: string;
  message: string;
}

export interface Plan {
  status: Record<string, any>;
  /** Lose their finalizer, after the status is written. */
  release: KubeObject[];
  create: NewPod[];
  /** Stopped because the Job is decided; how they end still counts. */
  delete: KubeObject[];
  /** Stopped because they are too many; they lose their finalizer first and do not count. */
  discard: KubeObject[];
  events: Event[];
  /** The Job's time to live is over. */
  expired: boolean;
  wakeAfterMs?: number;
}

const backoffMsMin = 10_000;
const backoffMsMax = 10 * 60_000;
/** Pods started in one go. */
const burstMax = 500;

export const isFinished = (job: KubeObject) => isTrue(job, "Complete") || isTrue(job, "Failed");

const normal = (reason: string, message: string): Event => ({ type: "Normal", reason, message });

/** When the pod's last container ended; when unknown, when it was last heard of. */
function endOf(pod: KubeObject): number {
  let latest = 0;
  for (const status of pod.status?.containerStatuses ?? []) {
    const end = Date.parse(status.state?.terminated?.finishedAt ?? "");
    if (end > latest) latest = end;
  }
  const ready = conditionOf(pod, "Ready")?.lastTransitionTime;
  return latest || Date.parse(ready ?? pod.metadata.creationTimestamp);
}

/** How long to wait after the failures since the last success. A clock that ran ahead costs one wait. */
export function backoffMs(pods: readonly KubeObject[], now: number): number {
  const lastSuccess = Math.max(0, ...pods.filter(hasSucceeded).map(endOf));
  const failures = pods
    .filter(hasFailed)
    .map(endOf)
    .filter((end) => end > lastSuccess);
  if (failures.length === 0) return 0;
  const delay = Math.min(backoffMsMin * 2 ** (failures.length - 1), backoffMsMax);
  const since = Math.max(now - Math.max(...failures), 0);
  return Math.max(delay - since, 0);
}

/** Which active pods go first when there are too many: those that have come the least far. */
function byProgress(a: KubeObject, b: KubeObject): number {
  const progress = (pod: KubeObject) =>
    (pod.spec?.nodeName ? 1 : 0) +
    (pod.status?.phase === "Running" ? 2 : 0) +
    (isReady(pod) ? 4 : 0);
  const difference = progress(a) - progress(b);
  if (difference !== 0) return difference;
  return a.metadata.creationTimestamp > b.metadata.creationTimestamp ? -1 : 1;
}

function freeIndexes(job: KubeObject, tallied: Tally, pods: KubeObject[], count: number): NewPod[] {
  const taken = new Set([...tallied.completed, ...tallied.failedIndexes]);
  for (const pod of tallied.active) taken.add(indexOf(pod));
  if (waitsForEnd(job)) {
    for (const pod of pods) {
      if (pod.metadata.deletionTimestamp && !hasFailed(pod)) taken.add(indexOf(pod));
    }
  }
  const perIndex = job.spec.backoffLimitPerIndex !== undefined;
  const free: NewPod[] = [];
  for (let index = 0; index < job.spec.completions && free.length < count; index++) {
    if (taken.has(index)) continue;
    const failures = perIndex ? { failures: failuresOfIndex(job, pods, index) } : {};
    free.push({ index, ...failures });
  }
  return free;
}

/** Two pods of one index, or one of an index that is done, should not both run. */
function superfluous(job: KubeObject, tallied: Tally): KubeObject[] {
  if (!isIndexed(job)) return [];
  const seen = new Set<number>();
  return [...tallied.active]
    .sort((a, b) => byProgress(b, a))
    .filter((pod) => {
      const index = indexOf(pod);
      const stays =
        index >= 0 &&
        index < job.spec.completions &&
        !tallied.completed.has(index) &&
        !tallied.failedIndexes.has(index) &&
        !seen.has(index);
      seen.add(index);
      return !stays;
    });
}

function manage({ job, pods, now }: Input, tallied: Tally, plan: Plan) {
  const { completions } = job.spec;
  const parallelism: number = job.spec.parallelism ?? 1;
  const open = completions === undefined || completions === null;
  plan.discard.push(...superfluous(job, tallied));
  const active = tallied.active.filter((pod) => !plan.discard.includes(pod));
  let wanted = parallelism;
  if (open) wanted = tallied.succeeded > 0 ? active.length : parallelism;
  else {
    const left = completions - tallied.succeeded - tallied.failedIndexes.size;
    wanted = Math.max(Math.min(left, parallelism), 0);
  }
  if (active.length > wanted || (open && active.length > parallelism)) {
    const most = Math.min(wanted, parallelism);
    plan.discard.push(...active.sort(byProgress).slice(0, active.length - most));
    return;
  }
  const waiting = waitsForEnd(job) ? tallied.terminating : 0;
  const missing = Math.min(wanted - active.length - waiting, burstMax);
  if (missing <= 0) return;
  const delay = backoffMs(pods, now);
  if (delay > 0) {
    wake(plan, delay);
    return;
  }
  if (isIndexed(job)) plan.create.push(...freeIndexes(job, tallied, pods, missing));
  else plan.create.push(...Array.from({ length: missing }, () => ({})));
}

function wake(plan: Plan, ms: number) {
  plan.wakeAfterMs = Math.min(plan.wakeAfterMs ?? ms, Math.max(ms, 0));
}

function suspend({ job, now }: Input, tallied: Tally, plan: Plan) {
  plan.discard.push(...tallied.active);
  if (isTrue(job, "Suspended")) return;
  const entry: Condition = {
    type: "Suspended",
    status: "True",
    reason: "JobSuspended",
    message: "Job suspended",
  };
  set(plan, entry, now);
  delete plan.status["startTime"];
  plan.events.push(normal("Suspended", "Job suspended"));
}

function resume({ job, now }: Input, plan: Plan) {
  if (isTrue(job, "Suspended")) {
    set(
      plan,
      { type: "Suspended", status: "False", reason: "JobResumed", message: "Job resumed" },
      now,
    );
    plan.status["startTime"] = timestamp(now);
    plan.events.push(normal("Resumed", "Job resumed"));
  }
  plan.status["startTime"] ??= timestamp(now);
}

function set(plan: Plan, condition: Condition, now: number) {
  const time = timestamp(now);
  const next = withCondition(plan.status["conditions"], condition, time);
  plan.status["conditions"] = next.map((entry) =>
    entry.type === condition.type ? { ...entry, lastProbeTime: time } : entry,
  );
}

/** First the verdict, then the end of every pod, then the final condition. */
function finish({ job, pods, now }: Input, decided: Outcome, tallied: Tally, plan: Plan) {
  plan.delete.push(...tallied.active);
  const interim = decided.type === "Complete" ? "SuccessCriteriaMet" : "FailureTarget";
  const { type, reason, message } = decided;
  if (!isTrue(job, interim)) set(plan, { type: interim, status: "True", reason, message }, now);
  const uncounted = tallied.counters.uncountedTerminatedPods;
  const open = (uncounted.succeeded?.length ?? 0) + (uncounted.failed?.length ?? 0);
  const running = tallied.active.length + tallied.terminating + tallied.release.length;
  if (open > 0 || running > 0 || !isTrue(job, interim)) return;
  if (pods.some((pod) => !hasFailed(pod) && !hasSucceeded(pod))) return;
  set(plan, { type, status: "True", reason, message }, now);
  if (type === "Complete") plan.status["completionTime"] = timestamp(now);
  plan.events.push(
    type === "Complete"
      ? normal("Completed", "Job completed")
      : { type: "Warning", reason, message },
  );
}

/** Milliseconds until the Job may be deleted; undefined when it stays. */
export function expiresInMs(job: KubeObject, now: number): number | undefined {
  const ttl: number | undefined = job.spec.ttlSecondsAfterFinished;
  if (ttl === undefined || !isFinished(job)) return undefined;
  const end = isTrue(job, "Complete") ? conditionOf(job, "Complete") : conditionOf(job, "Failed");
  return Date.parse(end?.lastTransitionTime ?? "") + ttl * 1000 - now;
}

function emptyPlan(job: KubeObject): Plan {
  const status = structuredClone(job.status ?? {});
  return { status, release: [], create: [], delete: [], discard: [], events: [], expired: false };
}

function writeCounts(job: KubeObject, tallied: Tally, result: Plan) {
  const { status } = result;
  const put = (field: string, value: unknown, empty: boolean) => {
    if (empty) delete status[field];
    else status[field] = value;
  };
  const { succeeded, failed, uncountedTerminatedPods } = tallied.counters;
  status["uncountedTerminatedPods"] = uncountedTerminatedPods;
  put("succeeded", succeeded, succeeded === 0);
  put("failed", failed, failed === 0);
  const { completed, failedIndexes } = tallied;
  put("completedIndexes", formatIndexes(completed), !isIndexed(job) || completed.size === 0);
  const perIndex = isIndexed(job) && job.spec.backoffLimitPerIndex !== undefined;
  put("failedIndexes", formatIndexes(failedIndexes), !perIndex);
}

export function plan(input: Input): Plan {
  const { job, pods, now } = input;
  const result = emptyPlan(job);
  const finished = isFinished(job);
  const ending = finished || job.metadata.deletionTimestamp !== undefined;
  const tallied = tally(job, pods, ending);
  result.release.push(...tallied.release);
  if (finished) {
    const ttl = expiresInMs(job, now);
    if (ttl !== undefined && ttl <= 0 && !job.metadata.deletionTimestamp) result.expired = true;
    else if (ttl !== undefined) wake(result, ttl);
    return result;
  }
  writeCounts(job, tallied, result);
  const decided = outcome(job, tallied, now);
  if (decided) finish(input, decided, tallied, result);
  else if (!job.metadata.deletionTimestamp) {
    if (job.spec.suspend) suspend(input, tallied, result);
    else {
      resume(input, result);
      manage(input, tallied, result);
      const deadline = deadlineInMs({ ...job, status: result.status }, now);
      if (deadline !== undefined) wake(result, deadline);
    }
  }
  const gone = new Set([...result.delete, ...result.discard]);
  const active = tallied.active.length - gone.size + result.create.length;
  const { status } = result;
  status["ready"] = tallied.active.filter((pod) => isReady(pod) && !gone.has(pod)).length;
  status["terminating"] = tallied.terminating + gone.size;
  if (active > 0) status["active"] = active;
  else delete status["active"];
  return result;
}
