import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { jobName, plan } from "./plan.ts";
import { parseSchedule } from "../../lib/cron-schedule.ts";

const utc = (text: string) => Date.parse(text);
const created = "2026-01-01T00:00:30Z";
const meta = (name: string) => ({
  name,
  namespace: "default",
  uid: name,
  resourceVersion: "1",
  creationTimestamp: created,
});

const cronJob = (spec: object = {}, status: object = {}): KubeObject => ({
  apiVersion: "batch/v1",
  kind: "CronJob",
  metadata: meta("tick"),
  spec: { schedule: "*/5 * * * *", ...spec },
  status,
});

const job = (name: string, condition?: "Complete" | "Failed", startTime = created): KubeObject => ({
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: meta(name),
  status: {
    startTime,
    ...(condition && { conditions: [{ type: condition, status: "True" }] }),
    ...(condition === "Complete" && { completionTime: startTime }),
  },
});

const at = "2026-01-01T00:12:00Z";
const planned = (of: KubeObject, jobs: KubeObject[] = [], now = at) =>
  plan({ cronJob: of, jobs, now: utc(now) });

test("the newest of several missed runs is started, once", () => {
  const first = planned(cronJob());
  assert.equal(first.start, utc("2026-01-01T00:10:00Z"));
  assert.equal(first.status.lastScheduleTime, "2026-01-01T00:10:00Z");
  assert.equal(first.wakeAfterMs, 3 * 60_000 + 100);
  assert.equal(planned(cronJob({}, first.status)).start, undefined);
  const unwritten = planned(cronJob(), [job(jobName(cronJob(), first.start!))]);
  assert.equal(unwritten.start, undefined);
  assert.equal(unwritten.status.lastScheduleTime, "2026-01-01T00:10:00Z");
});

test("a run's job is named after its minute", () => {
  assert.equal(jobName(cronJob(), utc("2026-01-01T00:10:00Z")), "tick-29453770");
});

test("what runs already decides by the concurrency policy", () => {
  const running = job("earlier");
  const rows: [string, number | undefined, KubeObject[]][] = [
    ["Allow", utc("2026-01-01T00:10:00Z"), []],
    ["Forbid", undefined, []],
    ["Replace", utc("2026-01-01T00:10:00Z"), [running]],
  ];
  for (const [concurrencyPolicy, start, replace] of rows) {
    const result = planned(cronJob({ concurrencyPolicy }), [running]);
    assert.deepEqual([result.start, result.replace], [start, replace], concurrencyPolicy);
  }
});

test("a run that is later than its deadline is missed, not started", () => {
  const late = planned(cronJob({ startingDeadlineSeconds: 60 }));
  assert.equal(late.start, undefined);
  assert.equal(late.events[0]?.reason, "MissSchedule");
  const inTime = planned(cronJob({ startingDeadlineSeconds: 180 }));
  assert.equal(inTime.start, utc("2026-01-01T00:10:00Z"));
});

test("after a long absence only the last run is started, with a warning", () => {
  const result = planned(cronJob(), [], "2026-02-01T00:02:00Z");
  assert.equal(result.start, utc("2026-02-01T00:00:00Z"));
  assert.deepEqual(
    result.events.map(({ reason }) => reason),
    ["TooManyMissedTimes"],
  );
});

test("a suspended one, and one whose schedule or zone is nonsense, start nothing", () => {
  assert.equal(planned(cronJob({ suspend: true })).start, undefined);
  const zone = planned(cronJob({ timeZone: "Moon/Tycho" }));
  assert.deepEqual([zone.start, zone.events[0]?.reason], [undefined, "UnknownTimeZone"]);
  const nonsense = planned(cronJob({ schedule: "soon" }));
  assert.equal(nonsense.events[0]?.reason, "UnparseableSchedule");
});

test("finished jobs are told of and forgotten beyond the limits, oldest first", () => {
  const jobs = [
    job("a", "Complete", "2026-01-01T00:01:00Z"),
    job("b", "Complete", "2026-01-01T00:02:00Z"),
    job("c", "Failed", "2026-01-01T00:03:00Z"),
    job("d", "Failed", "2026-01-01T00:04:00Z"),
  ];
  const active = [
    { uid: "b", name: "b" },
    { uid: "x", name: "x" },
  ];
  const result = planned(cronJob({ successfulJobsHistoryLimit: 1 }, { active }), jobs);
  assert.deepEqual(
    result.forget.map(({ metadata }) => metadata.name),
    ["a", "c"],
  );
  assert.equal(result.status.active, undefined);
  assert.equal(result.status.lastSuccessfulTime, "2026-01-01T00:02:00Z");
  assert.deepEqual(
    result.events.map(({ reason }) => reason),
    ["SawCompletedJob", "MissingJob"],
  );
});

test("schedules are read as Kubernetes writes them", () => {
  const rows: [string, string, string, string][] = [
    ["@daily", "UTC", "2026-01-01T12:00:00Z", "2026-01-02T00:00:00Z"],
    ["0 ? * * 1", "UTC", "2026-01-01T12:00:00Z", "2026-01-05T00:00:00Z"],
    ["30 2 * * *", "Europe/Berlin", "2026-01-01T12:00:00Z", "2026-01-02T01:30:00Z"],
    ["0 9 13 * 5", "UTC", "2026-01-01T12:00:00Z", "2026-01-02T09:00:00Z"],
    ["@every 1h30m", "UTC", "2026-01-01T01:30:30Z", "2026-01-01T03:00:30Z"],
  ];
  for (const [text, zone, after, expected] of rows) {
    const schedule = parseSchedule(text, zone, utc(created));
    const next = schedule.next(utc(after))!;
    assert.equal(new Date(next).toISOString(), expected.replace("Z", ".000Z"), text);
    assert.equal(schedule.last(next, utc(after)), next, text);
    assert.equal(schedule.last(next - 1, utc(after)), undefined, text);
  }
});
