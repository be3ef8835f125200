// CronJob, decided: which run is due, whether it may start, and which finished Jobs are forgotten.
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { isTrue } from "../pod-state.ts";
import { isTimeZone, parseSchedule, type Schedule } from "../../lib/cron-schedule.ts";

export interface Event {
  type: "Normal" | "Warning";
  reason: string;
  message: string;
}

export interface Plan {
  /** The run to start, wall clock ms. */
  start?: number;
  /** Running Jobs that make way for it. */
  replace: KubeObject[];
  /** Finished Jobs beyond the history limits. */
  forget: KubeObject[];
  status: { active?: object[]; lastScheduleTime?: string; lastSuccessfulTime?: string };
  events: Event[];
  wakeAfterMs?: number;
}

export interface Input {
  cronJob: KubeObject;
  /** The Jobs it controls. */
  jobs: KubeObject[];
  /** Wall clock, ms. */
  now: number;
}

/** Missed runs counted before the count is told to be too many, as upstream. */
const missedMax = 100;
/** Look a little after the run is due, so that it is due. */
const lateMs = 100;

export const isFinished = (job: KubeObject) => isTrue(job, "Complete") || isTrue(job, "Failed");

/** Names a run so that it is started once: minutes since 1970, as upstream. */
export const jobName = (cronJob: KubeObject, at: number) =>
  `${cronJob.metadata.name}-${Math.floor(at / 60_000)}`;

export const referenceTo = ({ metadata }: KubeObject) => ({
  apiVersion: "batch/v1",
  kind: "Job",
  name: metadata.name,
  namespace: metadata.namespace,
  uid: metadata.uid,
  resourceVersion: metadata.resourceVersion,
});

const normal = (reason: string, message: string): Event => ({ type: "Normal", reason, message });
const warning = (reason: string, message: string): Event => ({ type: "Warning", reason, message });

/** Finished Jobs beyond the history limits, oldest first. */
function surplus(cronJob: KubeObject, jobs: KubeObject[]): KubeObject[] {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cronJob.spec;
  const startOf = (job: KubeObject) => job.status?.startTime ?? job.metadata.creationTimestamp;
  const beyond = (type: string, limit: number) => {
    const ended = jobs.filter((job) => isTrue(job, type) && !job.metadata.deletionTimestamp);
    ended.sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
    return ended.slice(0, Math.max(0, ended.length - limit));
  };
  return [
    ...beyond("Complete", successfulJobsHistoryLimit),
    ...beyond("Failed", failedJobsHistoryLimit),
  ];
}

/** Which Jobs of `status.active` run on, and what became of the others. */
function takeStock({ cronJob, jobs }: Input, plan: Plan): KubeObject[] {
  const running = jobs.filter((job) => !isFinished(job));
  const known: { uid: string; name: string }[] = cronJob.status?.active ?? [];
  for (const { uid, name } of known) {
    const job = jobs.find(({ metadata }) => metadata.uid === uid);
    if (!job) {
      plan.events.push(normal("MissingJob", `Active job went missing: ${name}`));
    } else if (isFinished(job)) {
      const condition = isTrue(job, "Complete") ? "Complete" : "Failed";
      const message = `Saw completed job: ${name}, condition: ${condition}`;
      plan.events.push(normal("SawCompletedJob", message));
    }
  }
  const successes = jobs
    .filter((job) => isTrue(job, "Complete"))
    .map(({ status }) => status.completionTime as string | undefined);
  const last = [cronJob.status?.lastSuccessfulTime, ...successes].filter(Boolean).sort().at(-1);
  plan.status = {
    ...cronJob.status,
    ...(last && { lastSuccessfulTime: last }),
  };
  setActive(plan, running);
  return running;
}

function setActive(plan: Plan, running: KubeObject[]) {
  if (running.length > 0) plan.status.active = running.map(referenceTo);
  else delete plan.status.active;
}

function scheduleOf({ spec, metadata }: KubeObject, plan: Plan): Schedule | undefined {
  const zone: string = spec.timeZone ?? "UTC";
  if (!isTimeZone(zone)) {
    plan.events.push(warning("UnknownTimeZone", `invalid timeZone: "${zone}": unknown time zone`));
    return undefined;
  }
  try {
    return parseSchedule(spec.schedule, zone, Date.parse(metadata.creationTimestamp));
  } catch (error) {
    const text = `unparseable schedule: ${spec.schedule} : ${(error as Error).message}`;
    plan.events.push(warning("UnparseableSchedule", text));
    return undefined;
  }
}

/** The newest run that is due and was not dealt with. */
function dueRun({ cronJob, now }: Input, schedule: Schedule, plan: Plan): number | undefined {
  const { startingDeadlineSeconds: deadline } = cronJob.spec;
  const since = cronJob.status?.lastScheduleTime ?? cronJob.metadata.creationTimestamp;
  let earliest = Date.parse(since);
  const oldest = typeof deadline === "number" ? now - deadline * 1000 : undefined;
  const before = schedule.last(now, earliest);
  if (oldest !== undefined && oldest > earliest) earliest = oldest;
  const due = schedule.last(now, earliest);
  if (due === undefined && before !== undefined) {
    const at = new Date(before).toUTCString().replace("GMT", "+0000");
    plan.events.push(warning("MissSchedule", `Missed scheduled time to start a job: ${at}`));
  }
  if (due === undefined) return undefined;
  let missed = 0;
  for (let run = schedule.next(earliest); run !== undefined && run < due; missed++) {
    if (missed > missedMax) break;
    run = schedule.next(run);
  }
  if (missed > missedMax) {
    const text = `too many missed start times: ${missed}. Set or decrease .spec.startingDeadlineSeconds or check clock skew`;
    plan.events.push(warning("TooManyMissedTimes", text));
  }
  return due;
}

export function plan(input: Input): Plan {
  const { cronJob, jobs, now } = input;
  const result: Plan = { replace: [], forget: surplus(cronJob, jobs), status: {}, events: [] };
  const running = takeStock(input, result);
  if (cronJob.metadata.deletionTimestamp || cronJob.spec.suspend) return result;
  const schedule = scheduleOf(cronJob, result);
  if (!schedule) return result;
  const next = schedule.next(now);
  if (next !== undefined) result.wakeAfterMs = next - now + lateMs;
  const due = dueRun(input, schedule, result);
  if (due === undefined) return result;
  if (jobs.some(({ metadata }) => metadata.name === jobName(cronJob, due))) {
    // Started already; the status was not written then.
    result.status.lastScheduleTime = timestamp(due);
    return result;
  }
  const policy: string = cronJob.spec.concurrencyPolicy ?? "Allow";
  if (policy === "Forbid" && running.length > 0) {
    const why = "prior execution is running and concurrency policy is Forbid";
    result.events.push(normal("JobAlreadyActive", `Not starting job because ${why}`));
    return result;
  }
  if (policy === "Replace") {
    result.replace = running;
    setActive(result, []);
  }
  result.start = due;
  result.status.lastScheduleTime = timestamp(due);
  return result;
}
