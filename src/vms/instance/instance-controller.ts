// VirtualMachineInstance: makes the pod that QEMU runs in, follows it, and ends with it.
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { byAge, conditionOf } from "../../controllers/pod-state.ts";
import { expectationsOf } from "../../controllers/expectations.ts";
import { timestamp } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import { isStatus } from "../../lib/status-error.ts";
import { boundsOf } from "./launcher-resources.ts";
import { claims, dataVolumes, instances, kubeVirts, pods, quotas } from "../kinds/resources.ts";
import { claimNames } from "../machine/data-volumes.ts";
import { isFinal } from "../machine/run-strategy.ts";
import { instanceFinalizer } from "../machine/instance-of.ts";
import { hasState, stateClaim, stateClaimName } from "../state-claim.ts";
import { isReplicated } from "../replication/record.ts";
import { claimFacts } from "./claim-facts.ts";
import { claimConflict } from "./claim-users.ts";
import { contextIdsOf, wantsContextId } from "./context-ids.ts";
import { launcherPod, unpaused } from "./launcher-pod.ts";
import { isStuck, podWarning } from "./pod-warning.ts";
import { instanceStatus, isLauncher, planInstance } from "./plan.ts";
import type { InstancePlan } from "./plan.ts";
import { whyEnded } from "./conditions.ts";
import type { Failure } from "./conditions.ts";

const nodeNameLabel = "kubevirt.io/nodeName";
const retryMs = 5000;

class Reconciliation {
  #vmi: KubeObject;
  readonly #context: ControllerContext;
  readonly #at: { namespace: string; name: string };
  #failure: Failure | undefined;

  constructor(vmi: KubeObject, context: ControllerContext) {
    this.#vmi = vmi;
    this.#context = context;
    this.#at = { namespace: vmi.metadata.namespace!, name: vmi.metadata.name };
  }

  async run(key: Key): Promise<void> {
    const { informer } = this.#context;
    const { uid } = this.#vmi.metadata;
    const expectations = expectationsOf(this.#context);
    if (!expectations.met(key, informer(pods))) return this.#context.wakeAfter(key, 1000);
    const own = informer(pods)
      .list(this.#at.namespace)
      .filter((pod) => controllerOf(pod)?.uid === uid && isLauncher(pod))
      .sort(byAge);
    const disksReady = this.#disksReady();
    const plan = planInstance(this.#vmi, own, { disksReady: disksReady ?? true });
    if (plan.create) await this.#create(key);
    for (const pod of plan.remove) await this.#remove(pod);
    if (plan.phase === "Scheduling" && plan.pod) await this.#askPod(key, plan.pod);
    const isNew = this.#vmi.status?.phase === undefined;
    const isWritten = await this.#write(plan, disksReady);
    if (isNew && isWritten) return this.run(key);
    if (plan.pod) await this.#tellReadiness(plan.pod);
    if (plan.pod) await this.#tellNode(plan.pod);
    if (this.#failure) this.#context.wakeAfter(key, retryMs);
  }

  async #askPod(key: Key, pod: KubeObject) {
    const { client, clock, wakeAfter } = this.#context;
    if (isStuck(pod, clock.now())) this.#failure ??= await podWarning(client, pod);
    if (pod.spec.nodeName && !this.#failure) wakeAfter(key, retryMs);
  }

  /** Undefined without DataVolumes. */
  #disksReady(): boolean | undefined {
    const { informer } = this.#context;
    const names: string[] = (this.#vmi.spec.volumes ?? [])
      .map((one: any) => one.dataVolume?.name)
      .filter(Boolean);
    if (names.length === 0) return undefined;
    return names.every((name) => {
      const volume = informer(dataVolumes).get(name, this.#at.namespace);
      if (volume) return volume.status?.phase === "Succeeded";
      return informer(claims).get(name, this.#at.namespace) !== undefined;
    });
  }

  async #create(key: Key) {
    const { client, informer, event } = this.#context;
    const { namespace } = this.#at;
    const missing = claimNames(this.#vmi.spec).find(
      (name) => !informer(claims).get(name, namespace),
    );
    if (missing) {
      this.#failure = {
        reason: "FailedPvcNotFound",
        message: `PVC ${namespace}/${missing} does not exist`,
      };
      event(this.#vmi, "Warning", "FailedPvcNotFound", this.#failure.message);
      return;
    }
    this.#failure = this.#claimConflict();
    if (this.#failure) return;
    if (hasState(this.#vmi.spec.domain)) await this.#keepState();
    const facts = claimFacts((name) => informer(claims).get(name, namespace));
    try {
      const pod = await client.create(
        { ...pods, namespace },
        launcherPod(this.#vmi, { ...facts, bounds: boundsOf(informer(quotas).list(namespace)) }),
      );
      expectationsOf(this.#context).created(key, pod);
      const what = `Created virtual machine pod ${pod.metadata.name}`;
      event(this.#vmi, "Normal", "SuccessfulCreate", what);
    } catch (error) {
      const message = `Error creating pod: ${(error as Error).message}`;
      this.#failure = { reason: "FailedCreate", message };
      event(this.#vmi, "Warning", "FailedCreate", message);
    }
  }

  /** Replicated disks have one writer by their own record. */
  #claimConflict(): Failure | undefined {
    const { informer, event } = this.#context;
    const { namespace } = this.#at;
    const others = claimNames(this.#vmi.spec)
      .filter((name) => !isReplicated(informer(claims).get(name, namespace)))
      .flatMap((name) => informer(instances).byIndex("by-claim", `${namespace}/${name}`));
    const found = claimConflict(this.#vmi, others);
    const known = conditionOf(this.#vmi, "Synchronized")?.message;
    if (found && known !== found.message) {
      event(this.#vmi, "Warning", found.reason, found.message);
    }
    return found;
  }

  async #keepState() {
    const { client, informer } = this.#context;
    const name = stateClaimName(this.#vmi);
    if (informer(claims).get(name, this.#at.namespace)) return;
    const kubeVirt = informer(kubeVirts).get("kubevirt", "kubevirt");
    await client
      .create({ ...claims, namespace: this.#at.namespace }, stateClaim(this.#vmi, kubeVirt))
      .catch((error: unknown) => {
        if (!isStatus(error, "AlreadyExists")) throw error;
      });
  }

  async #remove({ metadata: { name, uid } }: KubeObject) {
    const { client, event } = this.#context;
    const target = { ...pods, namespace: this.#at.namespace, name };
    // A shorter time than the pod was made with may have been asked for since.
    const grace: number | undefined = this.#vmi.spec.terminationGracePeriodSeconds;
    const options = {
      preconditions: { uid },
      ...(grace !== undefined && { gracePeriodSeconds: grace + 5 }),
    };
    await client.delete(target, options).catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
    event(this.#vmi, "Normal", "SuccessfulDelete", `Deleted virtual machine pod ${name}`);
  }

  /** Endpoints leave out a guest that is paused. */
  async #tellReadiness(pod: KubeObject) {
    const paused = this.#vmi.status?.conditions?.some(
      (one: any) => one.type === "Paused" && one.status === "True",
    );
    const status = paused ? "False" : "True";
    const known = pod.status?.conditions?.find((one: any) => one.type === unpaused);
    if (known?.status === status || pod.metadata.deletionTimestamp) return;
    if (!pod.spec.readinessGates?.some((gate: any) => gate.conditionType === unpaused)) return;
    const { namespace, name } = pod.metadata;
    const lastTransitionTime = timestamp(this.#context.clock.now());
    const reason = paused ? "Paused" : "NotPaused";
    const message = `the virtual machine is ${paused ? "" : "not "}paused`;
    const condition = { type: unpaused, status, reason, message, lastTransitionTime };
    const target = { ...pods, namespace, name, subresource: "status" };
    await this.#context.client
      .patch(target, "strategic", { status: { conditions: [condition] } })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
  }

  /** Pods are looked for by where their guest is. */
  async #tellNode(pod: KubeObject) {
    const nodeName = this.#vmi.metadata.labels?.[nodeNameLabel];
    const { namespace, name, labels = {}, deletionTimestamp } = pod.metadata;
    if (!nodeName || labels[nodeNameLabel] === nodeName || deletionTimestamp) return;
    const patch = { metadata: { labels: { [nodeNameLabel]: nodeName } } };
    await this.#context.client
      .patch({ ...pods, namespace, name }, "merge", patch)
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
  }

  #tellEnd({ phase, pod }: InstancePlan) {
    const { event } = this.#context;
    if (phase === "Failed") {
      const why = conditionOf(this.#vmi, "Synchronized")?.message ?? whyEnded(pod);
      const what = "The VirtualMachineInstance crashed.";
      return event(this.#vmi, "Warning", "Stopped", why ? `${what} ${why}` : what);
    }
    event(this.#vmi, "Normal", "Stopped", "The VirtualMachineInstance was shut down.");
  }

  async #write(plan: InstancePlan, disksReady: boolean | undefined): Promise<boolean> {
    const { client, clock } = this.#context;
    const vmi = this.#vmi;
    const contextId = wantsContextId(vmi)
      ? contextIdsOf(this.#context).give(vmi, this.#context.informer(instances).list())
      : undefined;
    const claim = (name: string) => this.#context.informer(claims).get(name, this.#at.namespace);
    const known = { failure: this.#failure, disksReady, contextId, claim };
    const status = instanceStatus(vmi, plan, { ...known, now: clock.now() });
    const { finalizers = [], labels = {} } = vmi.metadata;
    const others = finalizers.filter((one) => one !== instanceFinalizer);
    const nodeName: string | undefined = status["nodeName"];
    const metadata = {
      ...vmi.metadata,
      finalizers: plan.release
        ? others
        : vmi.metadata.deletionTimestamp
          ? finalizers
          : [...others, instanceFinalizer],
      labels: { ...labels, ...(nodeName && { [nodeNameLabel]: nodeName }) },
    };
    const next = { ...vmi, metadata, status };
    if (jsonEqual(next, { labels: {}, ...vmi, metadata: { ...vmi.metadata, finalizers, labels } }))
      return false;
    try {
      this.#vmi = await client.update({ ...instances, ...this.#at }, next);
      if (isFinal(next) && !isFinal(vmi)) this.#tellEnd(plan);
      return true;
    } catch (error) {
      if (isStatus(error, "NotFound")) return false;
      throw error;
    }
  }
}

const owner = (object: KubeObject): Key[] => {
  const reference = controllerOf(object);
  if (reference?.kind !== "VirtualMachineInstance") return [];
  return [`${object.metadata.namespace}/${reference.name}`];
};

/** Instances that wait for a claim or DataVolume of this name. */
const waiting = (object: KubeObject, context: ControllerContext): Key[] =>
  context
    .informer(instances)
    .byIndex("by-claim", `${object.metadata.namespace}/${object.metadata.name}`)
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);

export const instanceController: Controller = {
  name: "virtual-machine-instance",
  inputs: [
    { resource: instances },
    { resource: pods, keys: owner },
    { resource: dataVolumes, keys: waiting },
    { resource: claims, keys: waiting },
    { resource: kubeVirts, keys: () => [] },
    { resource: quotas, keys: () => [] },
  ],
  outputs: [instances, pods, claims],
  start({ informer }) {
    informer(instances).addIndex("by-claim", (vmi) =>
      claimNames(vmi.spec).map((name) => `${vmi.metadata.namespace}/${name}`),
    );
  },
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const vmi = context.informer(instances).get(name, namespace);
    if (vmi) await new Reconciliation(vmi, context).run(key);
    else expectationsOf(context).forget(key);
  },
};
