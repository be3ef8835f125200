// CronJob: starts Jobs by the clock.
import { resource } from "../client/client.ts";
import { controllerOf, type Draft, type KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { jobName, plan, referenceTo } from "./cron-job/plan.ts";
import { expectationsOf } from "./expectations.ts";
import { controllerReference } from "./pod-template.ts";
import type { Controller, ControllerContext, Key } from "./runtime.ts";

const cronJobs = resource("batch/v1", "cronjobs");
const jobs = resource("batch/v1", "jobs");

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

class Reconciliation {
  readonly #key: Key;
  readonly #cronJob: KubeObject;
  readonly #context: ControllerContext;

  constructor(key: Key, cronJob: KubeObject, context: ControllerContext) {
    this.#key = key;
    this.#cronJob = cronJob;
    this.#context = context;
  }

  async run() {
    const { clock, event } = this.#context;
    const { namespace, uid } = this.#cronJob.metadata;
    const cache = this.#context.informer(jobs);
    // A Job that was started and is not in the cache yet would be taken for missing.
    if (!expectationsOf(this.#context).met(this.#key, cache)) {
      return this.#context.wakeAfter(this.#key, 1000);
    }
    const own = cache.list(namespace).filter((job) => controllerOf(job)?.uid === uid);
    const result = plan({ cronJob: this.#cronJob, jobs: own, now: clock.now() });
    for (const { type, reason, message } of result.events) {
      event(this.#cronJob, type, reason, message);
    }
    if (result.wakeAfterMs !== undefined) this.#context.wakeAfter(this.#key, result.wakeAfterMs);
    for (const job of [...result.replace, ...result.forget]) await this.#delete(job);
    if (result.start !== undefined) {
      const job = await this.#start(result.start);
      if (job) result.status.active = [...(result.status.active ?? []), referenceTo(job)];
    }
    await this.#writeStatus(result.status);
  }

  /** Undefined when a Job of that name was there already. */
  async #start(at: number): Promise<KubeObject | undefined> {
    const { client } = this.#context;
    const target = { ...jobs, namespace: this.#cronJob.metadata.namespace };
    try {
      const job = await client.create(target, draftOf(this.#cronJob, at));
      expectationsOf(this.#context).created(this.#key, job);
      this.#tell("Normal", "SuccessfulCreate", `Created job ${job.metadata.name}`);
      return job;
    } catch (error) {
      if (isStatus(error, "AlreadyExists")) return undefined;
      this.#tell("Warning", "FailedCreate", `Error creating job: ${(error as Error).message}`);
      throw error;
    }
  }

  async #delete({ metadata: { name, namespace, uid } }: KubeObject) {
    try {
      await this.#context.client.delete(
        { ...jobs, namespace, name },
        { propagationPolicy: "Background", preconditions: { uid } },
      );
      this.#tell("Normal", "SuccessfulDelete", `Deleted job ${name}`);
    } catch (error) {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    }
  }

  #tell(type: "Normal" | "Warning", reason: string, message: string) {
    this.#context.event(this.#cronJob, type, reason, message);
  }

  async #writeStatus(status: object) {
    if (jsonEqual(status, this.#cronJob.status ?? {})) return;
    const { name, namespace } = this.#cronJob.metadata;
    const at = { ...cronJobs, namespace, name, subresource: "status" };
    await this.#context.client.update(at, { ...this.#cronJob, status });
  }
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
  outputs: [jobs, resource("batch/v1", "cronjobs/status")],
  // Timers follow the monotonic clock; a wall clock that was set anew is noticed by looking.
  resyncMs: 60_000,
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const found = context.informer(cronJobs).get(name, namespace);
    if (found) await new Reconciliation(key, found, context).run();
    else expectationsOf(context).forget(key);
  },
};
