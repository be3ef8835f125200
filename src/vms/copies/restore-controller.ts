// VirtualMachineRestore: makes new claims of a snapshot's copies, and gives them to a machine that is stopped.
import { controllerReference } from "../../controllers/pod-template.ts";
import { withCondition } from "../../controllers/pod-state.ts";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { isStatus } from "../../lib/status-error.ts";
import { taskPaths } from "../disks/task.ts";
import {
  claims,
  dataVolumes,
  instances,
  pods,
  restores,
  snapshotContents,
  snapshots,
  virtualMachines,
} from "../kinds/resources.ts";
import { isFinal } from "../machine/run-strategy.ts";
import { freeLocks, lockHolder, setLock } from "./machine-lock.ts";
import { copyState, ensureTaskPod, removePod } from "./copy-task.ts";
import { restoredMachine, restoredSpec } from "./restored-machine.ts";
import { copiesName, copyFile } from "./snapshot-content.ts";

const lookMs = 1000;
const graceMs = 5 * 60_000;

/** `waits`: why not yet; `failed`: why never. */
type Step = { waits: string } | { failed: string } | { done: true };

const claimNameOf = (restore: KubeObject, volume: string) =>
  `restore-${restore.metadata.uid}-${volume}`;

/** Policies that are not ours, by field. */
function refusal(spec: any): string | undefined {
  const ours: Record<string, string[]> = {
    volumeRestorePolicy: ["RandomizeNames"],
    volumeOwnershipPolicy: ["Vm"],
  };
  const field = Object.keys(ours).find((name) => spec[name] && !ours[name]!.includes(spec[name]));
  if (field) return `spec.${field}: ${spec[field]} is not supported`;
  if (spec.volumeRestoreOverrides?.length) return "spec.volumeRestoreOverrides is not supported";
  return spec.target.kind === "VirtualMachine"
    ? undefined
    : `spec.target.kind: ${spec.target.kind} is not restored`;
}

class Restoring {
  readonly #restore: KubeObject;
  readonly #context: ControllerContext;
  readonly #namespace: string;

  constructor(restore: KubeObject, context: ControllerContext) {
    this.#restore = restore;
    this.#context = context;
    this.#namespace = restore.metadata.namespace!;
  }

  async run(key: Key) {
    const { status } = this.#restore;
    const over = status?.conditions?.some(
      (one: any) => one.type === "Failure" && one.status === "True",
    );
    if (status?.complete || over) return this.#cleanUp();
    const target = this.#target();
    let step: Step;
    try {
      step = await this.#step(target);
    } catch (error) {
      if (!isStatus(error, "BadRequest", "Invalid", "Forbidden")) throw error;
      step = { failed: error.message };
    }
    if (!("waits" in step) && target) {
      await setLock(this.#context, target, { restoreInProgress: null });
    }
    await this.#write(step);
    if ("waits" in step) return this.#context.wakeAfter(key, lookMs);
    await this.#cleanUp();
    const { name } = this.#restore.spec.target;
    const { event } = this.#context;
    if ("failed" in step)
      event(this.#restore, "Warning", "VirtualMachineRestoreError", step.failed);
    else
      event(
        this.#restore,
        "Normal",
        "VirtualMachineRestoreComplete",
        `Successfully completed VirtualMachineRestore of ${name}`,
      );
  }

  #target() {
    return this.#context
      .informer(virtualMachines)
      .get(this.#restore.spec.target.name, this.#namespace);
  }

  async #step(target: KubeObject | undefined): Promise<Step> {
    const { informer } = this.#context;
    const refused = refusal(this.#restore.spec);
    if (refused) return { failed: refused };
    const { virtualMachineSnapshotName: from } = this.#restore.spec;
    const snapshot = informer(snapshots).get(from, this.#namespace);
    if (!snapshot) return { waits: `snapshot ${from} does not exist` };
    if (snapshot.status?.phase === "Failed") return { failed: `snapshot ${from} failed` };
    const content =
      snapshot.status?.readyToUse &&
      informer(snapshotContents).get(
        snapshot.status.virtualMachineSnapshotContentName,
        this.#namespace,
      );
    if (!content) return { waits: `snapshot ${from} is not ready` };
    const ready = await this.#targetReady(target);
    if (!("done" in ready)) return ready;
    if (target && target.status?.restoreInProgress !== this.#restore.metadata.name) {
      if (target.status?.restoreInProgress) return { waits: `another restore is on its way` };
      const { name } = this.#restore.metadata;
      await setLock(this.#context, target, { restoreInProgress: name });
      return { waits: "the target is being kept from starting" };
    }
    const copied = await this.#copy(content, copiesName(snapshot));
    return "done" in copied ? this.#give(content, target) : copied;
  }

  /** Nothing of the target may run. */
  async #targetReady(target: KubeObject | undefined): Promise<Step> {
    const { client, clock, informer } = this.#context;
    const vmi = target && informer(instances).get(target.metadata.name, this.#namespace);
    if (!vmi || isFinal(vmi)) return { done: true };
    const policy = this.#restore.spec.targetReadinessPolicy ?? "WaitGracePeriodAndFail";
    const since = clock.now() - Date.parse(this.#restore.metadata.creationTimestamp);
    if (policy === "FailImmediate") return { failed: "Restore target is running" };
    if (policy === "WaitGracePeriodAndFail" && since > graceMs) {
      return { failed: `Restore target was not stopped in ${graceMs / 60_000} minutes` };
    }
    if (policy === "StopTarget") {
      const stop =
        target.spec.runStrategy === undefined ? { running: false } : { runStrategy: "Halted" };
      const at = { ...virtualMachines, namespace: this.#namespace, name: target.metadata.name };
      await client.patch(at, "merge", { spec: stop });
    }
    return { waits: "Waiting for target to be ready: it is running" };
  }

  async #copy(content: KubeObject, copies: string): Promise<Step> {
    let left = 0;
    for (const { volumeName, persistentVolumeClaim: from } of content.spec.volumeBackups ?? []) {
      const name = claimNameOf(this.#restore, volumeName);
      if (!this.#context.informer(claims).get(name, this.#namespace)) {
        await this.#createClaim(name, from);
      }
      const bytes = parseQuantity(from.spec.resources.requests.storage);
      const pod = await ensureTaskPod(this.#context, {
        owner: this.#restore,
        name,
        task: { kind: "copy", bytes, block: false, sourceFile: copyFile(volumeName) },
        volumes: [
          { claim: copies, block: false, path: taskPaths.source, readOnly: true },
          { claim: name, block: false, path: taskPaths.target },
        ],
      });
      const state = copyState(pod);
      if (state.is === "failed") return { failed: `volume ${volumeName}: ${state.why}` };
      if (state.is === "running") left += 1;
    }
    return left > 0 ? { waits: `${left} volumes are being restored` } : { done: true };
  }

  async #createClaim(name: string, from: any) {
    const { accessModes, resources, storageClassName, volumeMode } = from.spec;
    const claim = {
      apiVersion: "v1",
      kind: "PersistentVolumeClaim",
      metadata: {
        name,
        ...(from.metadata.labels && { labels: from.metadata.labels }),
        annotations: { "restore.kubevirt.io/name": this.#restore.metadata.name },
        ownerReferences: [controllerReference(this.#restore)],
      },
      spec: { accessModes, resources, storageClassName, volumeMode },
    };
    const target = { ...claims, namespace: this.#namespace };
    await this.#context.client.create(target, claim).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
    });
  }

  async #give(content: KubeObject, target: KubeObject | undefined): Promise<Step> {
    const { client } = this.#context;
    const backups: any[] = content.spec.volumeBackups ?? [];
    const byVolume: Record<string, string> = Object.fromEntries(
      backups.map(({ volumeName }) => [volumeName, claimNameOf(this.#restore, volumeName)]),
    );
    const { patches = [], target: asked } = this.#restore.spec;
    const restored = { content, claims: byVolume, patches };
    const at = { ...virtualMachines, namespace: this.#namespace };
    const vm = target
      ? await client.update(
          { ...at, name: target.metadata.name },
          { ...target, spec: restoredSpec(target, restored) },
        )
      : await client.create(at, restoredMachine(asked.name, restored));
    for (const name of Object.values(byVolume)) {
      const metadata = { ownerReferences: [controllerReference(vm)] };
      await client.patch({ ...claims, namespace: this.#namespace, name }, "merge", { metadata });
    }
    if (target) await this.#dropOld(target, vm);
    return { done: true };
  }

  /** DataVolumes of the machine's templates that nothing of it names any more. */
  async #dropOld(before: KubeObject, after: KubeObject) {
    const { client, informer } = this.#context;
    const named = JSON.stringify(after.spec.template.spec.volumes ?? []);
    for (const { metadata } of before.spec.dataVolumeTemplates ?? []) {
      const old = informer(dataVolumes).get(metadata.name, this.#namespace);
      if (!old || controllerOf(old)?.uid !== before.metadata.uid) continue;
      if (named.includes(JSON.stringify(metadata.name))) continue;
      const target = { ...dataVolumes, namespace: this.#namespace, name: metadata.name };
      await client.delete(target).catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
    }
  }

  async #cleanUp() {
    const own = this.#context
      .informer(pods)
      .list(this.#namespace)
      .filter((pod) => controllerOf(pod)?.uid === this.#restore.metadata.uid);
    for (const pod of own) await removePod(this.#context, pod);
  }

  async #write(step: Step) {
    const { client, clock, informer } = this.#context;
    const { metadata, spec, status: before = {} } = this.#restore;
    const time = timestamp(clock.now());
    const done = "done" in step;
    const reason = "waits" in step ? step.waits : done ? "Operation complete" : step.failed;
    const condition = (type: string, is: boolean) => ({
      type,
      status: is ? "True" : "False",
      reason,
    });
    const conditions = [
      condition("Progressing", "waits" in step),
      condition("Ready", done),
      ...("failed" in step ? [{ ...condition("Failure", true), message: reason }] : []),
    ].reduce((list: any[], one: any) => withCondition(list, one, time), before.conditions ?? []);
    const snapshot = informer(snapshots).get(spec.virtualMachineSnapshotName, this.#namespace);
    const content = informer(snapshotContents).get(
      snapshot?.status?.virtualMachineSnapshotContentName ?? "",
      this.#namespace,
    );
    const backups: any[] = content?.spec.volumeBackups ?? [];
    const status = {
      ...before,
      ...{ complete: done, conditions },
      restores: backups.map(({ volumeName, volumeSnapshotName }) => ({
        volumeName,
        volumeSnapshotName,
        persistentVolumeClaim: claimNameOf(this.#restore, volumeName),
      })),
      ...(done && { restoreTime: time }),
    };
    if (jsonEqual(status, before)) return;
    const target = { ...restores, namespace: this.#namespace, name: metadata.name };
    await client.update({ ...target, subresource: "status" }, { ...this.#restore, status });
  }
}

const owner = (object: KubeObject): Key[] => {
  const reference = controllerOf(object);
  if (reference?.kind !== "VirtualMachineRestore") return [];
  return [`${object.metadata.namespace}/${reference.name}`];
};

export const restoreController: Controller = {
  name: "virtual-machine-restore",
  inputs: [
    { resource: restores },
    { resource: pods, keys: owner },
    { resource: virtualMachines, keys: lockHolder("restoreInProgress") },
    ...[snapshots, snapshotContents, instances, claims, dataVolumes].map((resource) => ({
      resource,
      keys: () => [],
    })),
  ],
  outputs: [
    claims,
    pods,
    dataVolumes,
    virtualMachines,
    { ...restores, resource: "virtualmachinerestores/status" },
  ],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const restore = context.informer(restores).get(name, namespace);
    if (!restore || restore.metadata.deletionTimestamp) {
      return freeLocks(context, key, "restoreInProgress");
    }
    await new Restoring(restore, context).run(key);
  },
};
