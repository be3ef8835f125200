// CronJob: starts Jobs by the clock.
import { resource } from "../client/client.ts";
import type { Draft, KubeObject } from "../kinds/object.ts";
import { controllerOf } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { dueRun, isFinished, jobName, surplusJobs } from "./cron-job/plan.ts";
import { controllerReference } from "./pod-template.ts";
import { isTrue } from "./pod-state.ts";
import type { Controller, ControllerContext, Key } from "./runtime.ts";

const cronJobs = resource("batch/v1", "cronjobs");
const jobs = resource("batch/v1", "jobs");

const referenceTo = ({ metadata }: KubeObject) => ({
  apiVersion: "batch/v1",
  kind: "Job",
  name: metadata.name,
  namespace: metadata.namespace,
  uid: metadata.uid,
  resourceVersion: metadata.resourceVersion,
});

function draftOf(cronJob: KubeObject, at: number): Draft {
  const { metadata, spec } = cronJob.spec.jobTemplate;
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: {
      name: jobName(cronJob, at),
      namespace: cronJob.metadata.namespace!,
      labels: { ...metadata?.labels },
      annotations: {
        ...metadata?.annotations,
        "batch.kubernetes.io/cronjob-scheduled-timestamp": timestamp(at),
      },
      ownerReferences: [controllerReference(cronJob)],
    },
    spec,
  };
}

async function remove(job: KubeObject, { client }: ControllerContext) {
  const { name, namespace } = job.metadata;
  await client
    .delete({ ...jobs, namespace, name }, { propagationPolicy: "Background" })
    .catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
}

/** Starts the run; resolves with its Job, or undefined when it exists already. */
async function start(cronJob: KubeObject, at: number, context: ControllerContext) {
  const target = { ...jobs, namespace: cronJob.metadata.namespace };
  try {
    const job = await context.client.create(target, draftOf(cronJob, at));
    context.event(cronJob, "Normal", "SuccessfulCreate", `Created job ${job.metadata.name}`);
    return job;
  } catch (error) {
    if (isStatus(error, "AlreadyExists")) return undefined;
    context.event(
      cronJob,
      "Warning",
      "FailedCreate",
      `Error creating job: ${(error as Error).message}`,
    );
    throw error;
  }
}

/** Runs what is due; resolves with the time of the run that was dealt with. */
async function runDue(
  cronJob: KubeObject,
  active: KubeObject[],
  key: Key,
  context: ControllerContext,
) {
  const { spec, status, metadata } = cronJob;
  const since = Date.parse(status?.lastScheduleTime ?? metadata.creationTimestamp);
  let due;
  try {
    due = dueRun(cronJob, since, context.clock.now());
  } catch (error) {
    const text = `unparseable schedule: ${spec.schedule} : ${(error as Error).message}`;
    context.event(cronJob, "Warning", "UnparseableSchedule", text);
    return undefined;
  }
  if (due.nextInMs !== undefined) context.wakeAfter(key, due.nextInMs);
  if (due.at === undefined) return undefined;
  if (due.missed > 100) {
    const text = `too many missed start times: ${due.missed}. Set or decrease .spec.startingDeadlineSeconds or check clock skew`;
    context.event(cronJob, "Warning", "TooManyMissedTimes", text);
  }
  if (active.length > 0 && spec.concurrencyPolicy === "Forbid") {
    const text = `Not starting job because prior execution is running and concurrency policy is Forbid`;
    context.event(cronJob, "Normal", "JobAlreadyActive", text);
    return undefined;
  }
  if (spec.concurrencyPolicy === "Replace") {
    for (const job of active.splice(0)) await remove(job, context);
  }
  const job = await start(cronJob, due.at, context);
  if (job) active.push(job);
  return due.at;
}

async function reconcile(key: Key, context: ControllerContext) {
  const [namespace, name] = key.split("/") as [string, string];
  const cronJob = context.informer(cronJobs).get(name, namespace);
  if (!cronJob || cronJob.metadata.deletionTimestamp) return;
  const own = context
    .informer(jobs)
    .list(namespace)
    .filter((job) => controllerOf(job)?.uid === cronJob.metadata.uid);
  const active = own.filter((job) => !isFinished(job));
  const ran = cronJob.spec.suspend ? undefined : await runDue(cronJob, active, key, context);
  for (const job of surplusJobs(cronJob, own)) await remove(job, context);
  const successes = own
    .filter((job) => isTrue(job, "Complete"))
    .map((job) => job.status.completionTime as string)
    .sort();
  const last = [cronJob.status?.lastSuccessfulTime, successes.at(-1)].filter(Boolean).sort().at(-1);
  const status = {
    ...cronJob.status,
    active: active.map(referenceTo),
    ...(ran !== undefined && { lastScheduleTime: timestamp(ran) }),
    ...(last && { lastSuccessfulTime: last }),
  };
  if (jsonEqual(status, { active: [], ...cronJob.status })) return;
  await context.client.patch({ ...cronJobs, namespace, name, subresource: "status" }, "merge", {
    status,
  });
}

export const cronJob: Controller = {
  name: "cron-job",
  inputs: [
    { resource: cronJobs },
    {
      resource: jobs,
      keys: (object) => {
        const owner = controllerOf(object);
        return owner?.kind === "CronJob" ? [`${object.metadata.namespace}/${owner.name}`] : [];
      },
    },
  ],
  outputs: [jobs, { ...cronJobs, resource: "cronjobs/status" }],
  reconcile,
};
