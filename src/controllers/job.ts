// Job: pods that run to completion, each counted once. Also what upstream calls the TTL controller.
import { resource } from "../client/client.ts";
import { controllerOf, type KubeObject } from "../kinds/object.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { claim, ownerKeys, pods } from "./claim.ts";
import { expectationsOf } from "./expectations.ts";
import { jobPod } from "./job/pod.ts";
import { plan } from "./job/plan.ts";
import { isTracked, trackingFinalizer } from "./job/tally.ts";
import { PodControl } from "./pod-control.ts";
import type { Controller, ControllerContext, Key } from "./runtime.ts";

const jobs = resource("batch/v1", "jobs");
const ours = "kubernetes.io/job-controller";

const nameLabel = "batch.kubernetes.io/job-name";
const ownersOf = ownerKeys(jobs, "Job");

/** Also the Job of a pod that is counted and belongs to nobody: somebody must let go of it. */
const podKeys: typeof ownersOf = (pod, context, previous) => {
  const { namespace, labels } = pod.metadata;
  const stray = !controllerOf(pod) && isTracked(pod) && labels?.[nameLabel];
  const keys = ownersOf(pod, context, previous);
  return stray ? [...new Set([...keys, `${namespace}/${labels[nameLabel]}`])] : keys;
};

async function release(pod: KubeObject, { client }: ControllerContext) {
  const { namespace, name, uid, finalizers = [] } = pod.metadata;
  const left = finalizers.filter((finalizer) => finalizer !== trackingFinalizer);
  try {
    await client.patch({ ...pods, namespace, name }, "merge", {
      metadata: { uid, resourceVersion: pod.metadata.resourceVersion, finalizers: left },
    });
  } catch (error) {
    // A conflict means the pod changed: seeing that change wakes the Job again.
    if (!isStatus(error, "NotFound", "Conflict")) throw error;
  }
}

class Reconciliation {
  readonly #key: Key;
  readonly #job: KubeObject;
  readonly #context: ControllerContext;
  readonly #namespace: string;
  readonly #control: PodControl;

  constructor(key: Key, job: KubeObject, context: ControllerContext) {
    this.#key = key;
    this.#job = job;
    this.#context = context;
    this.#namespace = job.metadata.namespace!;
    this.#control = new PodControl(job, key, context);
  }

  async run(own: KubeObject[]) {
    const context = this.#context;
    const expectations = expectationsOf(context);
    const result = plan({ job: this.#job, pods: own, now: context.clock.now() });
    if (result.expired) return this.#expire();
    await this.#writeStatus(result.status);
    for (const { type, reason, message } of result.events) {
      context.event(this.#job, type, reason, message);
    }
    await Promise.all(result.release.map((pod) => release(pod, context)));
    if (result.wakeAfterMs !== undefined) context.wakeAfter(this.#key, result.wakeAfterMs);
    if (!expectations.met(this.#key, context.informer(pods))) {
      context.wakeAfter(this.#key, 1000);
      return;
    }
    await Promise.all(result.discard.map((pod) => this.#discard(pod)));
    await Promise.all(result.delete.map((pod) => this.#control.delete(pod)));
    await this.#control.create(result.create.map((wanted) => jobPod(this.#job, wanted)));
  }

  async #discard(pod: KubeObject) {
    const { name, uid, finalizers = [] } = pod.metadata;
    const at = { ...pods, namespace: this.#namespace, name };
    const left = finalizers.filter((finalizer) => finalizer !== trackingFinalizer);
    try {
      await this.#context.client.patch(at, "merge", { metadata: { uid, finalizers: left } });
      await this.#control.delete(pod);
    } catch (error) {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    }
  }

  async #writeStatus(status: Record<string, any>) {
    if (jsonEqual(status, this.#job.status ?? {})) return;
    const { name } = this.#job.metadata;
    const at = { ...jobs, namespace: this.#namespace, name, subresource: "status" };
    await this.#context.client.update(at, { ...this.#job, status });
  }

  async #expire() {
    const { name, uid, resourceVersion } = this.#job.metadata;
    try {
      await this.#context.client.delete(
        { ...jobs, namespace: this.#namespace, name },
        { propagationPolicy: "Foreground", preconditions: { uid, resourceVersion } },
      );
    } catch (error) {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    }
  }
}

export const job: Controller = {
  name: "job",
  inputs: [{ resource: jobs }, { resource: pods, keys: podKeys }],
  outputs: [pods, jobs, resource("batch/v1", "jobs/status")],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const found = context.informer(jobs).get(name, namespace);
    if (!found) expectationsOf(context).forget(key);
    const managed = found && (found.spec.managedBy ?? ours) === ours;
    const mine = managed ? await claim(found, pods, context, { finalizer: trackingFinalizer }) : [];
    const uids = new Set(mine.map(({ metadata }) => metadata.uid));
    for (const pod of context.informer(pods).list(namespace)) {
      if (!isTracked(pod) || uids.has(pod.metadata.uid)) continue;
      const owner = controllerOf(pod);
      const stray = owner
        ? owner.kind === "Job" && owner.name === name && owner.uid !== found?.metadata.uid
        : pod.metadata.labels?.[nameLabel] === name;
      // Its Job is gone: nobody counts it any more.
      if (stray) await release(pod, context);
    }
    if (managed) await new Reconciliation(key, found, context).run(mine);
  },
};
