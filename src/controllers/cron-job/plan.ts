// CronJob, decided: which run is due, whether it may start, and which finished Jobs are forgotten. Pure.
import { Cron } from "croner";
import type { KubeObject } from "../../kinds/object.ts";
import { isTrue } from "../pod-state.ts";

/** Missed runs looked at before giving up on counting them, as upstream. */
const missedMax = 100;

export interface Due {
  /** The run to start now, wall clock ms. */
  at: number | undefined;
  /** When to look again, ms from now. */
  nextInMs: number | undefined;
  missed: number;
}

/** The newest run since `since` that is due at `now`. Throws when the schedule does not parse. */
export function dueRun(cronJob: KubeObject, since: number, now: number): Due {
  const { schedule, timeZone, startingDeadlineSeconds } = cronJob.spec;
  const cron = new Cron(schedule, { paused: true, timezone: timeZone ?? "UTC", mode: "5-part" });
  const earliest =
    startingDeadlineSeconds === undefined || startingDeadlineSeconds === null
      ? since
      : Math.max(since, now - startingDeadlineSeconds * 1000);
  let at: number | undefined;
  let missed = 0;
  let run = cron.nextRun(new Date(earliest))?.getTime();
  while (run !== undefined && run <= now) {
    at = run;
    if (++missed > missedMax) {
      at = cron.previousRuns(1, new Date(now + 1))[0]?.getTime() ?? at;
      break;
    }
    run = cron.nextRun(new Date(run))?.getTime();
  }
  const next = cron.nextRun(new Date(now))?.getTime();
  return { at, nextInMs: next === undefined ? undefined : next - now, missed };
}

export const isFinished = (job: KubeObject) => isTrue(job, "Complete") || isTrue(job, "Failed");

/** Names a run so that it is started once: minutes since 1970, as upstream. */
export const jobName = (cronJob: KubeObject, at: number) =>
  `${cronJob.metadata.name}-${Math.floor(at / 60_000)}`;

/** Finished Jobs beyond the history limits, oldest first. */
export function surplusJobs(cronJob: KubeObject, jobs: KubeObject[]): KubeObject[] {
  const { successfulJobsHistoryLimit = 3, failedJobsHistoryLimit = 1 } = cronJob.spec;
  const startOf = (job: KubeObject) => job.status?.startTime ?? job.metadata.creationTimestamp;
  const beyond = (type: string, limit: number) => {
    const ended = jobs.filter((job) => isTrue(job, type));
    ended.sort((a, b) => (startOf(a) < startOf(b) ? -1 : 1));
    return ended.slice(0, Math.max(0, ended.length - limit));
  };
  return [
    ...beyond("Complete", successfulJobsHistoryLimit),
    ...beyond("Failed", failedJobsHistoryLimit),
  ];
}
