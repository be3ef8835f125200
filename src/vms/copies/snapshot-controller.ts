// VirtualMachineSnapshot: copies the disks of a machine, at one moment while its guest runs, or while it is stopped
// and kept so.
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import { withCondition } from "../../controllers/pod-state.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { isStatus } from "../../lib/status-error.ts";
import { durationMs } from "../../lib/parse-duration.ts";
import { vmControl } from "../control.ts";
import { taskPaths } from "../disks/task.ts";
import { currentPod } from "../instance/plan.ts";
import {
  claims,
  instances,
  pods,
  snapshotContents,
  snapshots,
  virtualMachines,
} from "../kinds/resources.ts";
import { isFinal } from "../machine/run-strategy.ts";
import { startedSpec } from "../machine/start-revision.ts";
import { freeLocks, lockHolder, setLock } from "./machine-lock.ts";
import { copyState, ensureTaskPod, removePod } from "./copy-task.ts";
import {
  asStarted,
  claimsByVolume,
  contentName,
  contentOf,
  copiesClaim,
  copiesName,
  copyFile,
} from "./snapshot-content.ts";
import type { SourceDisk } from "./snapshot-content.ts";

const deadlineMsDefault = 5 * 60_000;
const lookMs = 1000;

/** What was found out; undefined while there is more to wait for. */
type Outcome = { indications: string[] } | { error: string } | undefined;

class Snapshotting {
  readonly #snapshot: KubeObject;
  readonly #context: ControllerContext;
  readonly #connect: NodeConnector;
  readonly #namespace: string;

  constructor(snapshot: KubeObject, context: ControllerContext, connect: NodeConnector) {
    this.#snapshot = snapshot;
    this.#context = context;
    this.#connect = connect;
    this.#namespace = snapshot.metadata.namespace!;
  }

  async run(key: Key) {
    const { clock, informer, event } = this.#context;
    const { metadata, spec, status } = this.#snapshot;
    if (["Succeeded", "Failed"].includes(status?.phase)) return this.#cleanUp();
    const vm = informer(virtualMachines).get(spec.source.name, this.#namespace);
    const deadlineMs = durationMs(spec.failureDeadline) ?? deadlineMsDefault;
    const late = clock.now() > Date.parse(metadata.creationTimestamp) + deadlineMs;
    const outcome = late
      ? { error: "snapshot deadline exceeded" }
      : vm
        ? await this.#take(vm)
        : undefined;
    if (outcome && vm) await this.#unlock(vm);
    await this.#write(vm, outcome);
    if (!outcome) return this.#context.wakeAfter(key, lookMs);
    await this.#cleanUp();
    if ("error" in outcome)
      return event(this.#snapshot, "Warning", "SnapshotFailed", outcome.error);
    event(
      this.#snapshot,
      "Normal",
      "SnapshotSucceeded",
      `Snapshot of ${spec.source.name} is ready`,
    );
  }

  async #take(vm: KubeObject): Promise<Outcome> {
    if (!(await this.#lock(vm))) return undefined;
    const disks = this.#disks(vm);
    if ("error" in disks) return disks;
    const content = await this.#content(vm, disks);
    if (!content) return undefined;
    if (disks.length === 0) return { indications: [] };
    if (!(await this.#copies(content, disks))) return undefined;
    const vmi = this.#instanceOf(vm);
    return vmi ? this.#copyLive(vmi, disks) : this.#copyCold(disks);
  }

  /** The machine neither starts nor is restored meanwhile. */
  async #lock(vm: KubeObject): Promise<boolean> {
    const { name } = this.#snapshot.metadata;
    const holder = vm.status?.snapshotInProgress;
    if (holder !== undefined) return holder === name;
    if (vm.status?.restoreInProgress) return false;
    await setLock(this.#context, vm, { snapshotInProgress: name });
    return false;
  }

  async #unlock(vm: KubeObject) {
    if (vm.status?.snapshotInProgress !== this.#snapshot.metadata.name) return;
    await setLock(this.#context, vm, { snapshotInProgress: null });
  }

  #disks(vm: KubeObject): SourceDisk[] | { error: string } {
    const found = claimsByVolume(vm.spec.template.spec).map(({ volume, claimName }) => ({
      ...{ volume, claimName },
      claim: this.#context.informer(claims).get(claimName, this.#namespace),
    }));
    const lost = found.find(({ claim }) => !claim);
    if (lost) return { error: `PVC ${lost.claimName} of volume ${lost.volume} does not exist` };
    const block = found.find(({ claim }) => claim!.spec.volumeMode === "Block");
    if (block)
      return { error: `volume ${block.volume} is a block volume, of which no snapshots are made` };
    return found as SourceDisk[];
  }

  async #content(vm: KubeObject, disks: SourceDisk[]): Promise<KubeObject | undefined> {
    const { client, informer } = this.#context;
    const name = contentName(this.#snapshot);
    const known = informer(snapshotContents).get(name, this.#namespace);
    if (known) return known;
    const draft = contentOf(this.#snapshot, await this.#asItRuns(vm), disks);
    return client
      .create({ ...snapshotContents, namespace: this.#namespace }, draft)
      .catch(existsIsFine);
  }

  /** What was edited since its guest began is not what runs. */
  async #asItRuns(vm: KubeObject): Promise<KubeObject> {
    const vmi = this.#instanceOf(vm);
    const started = vmi && (await startedSpec(this.#context.client, vmi));
    return started ? asStarted(vm, started) : vm;
  }

  /** While it runs. */
  #instanceOf(vm: KubeObject): KubeObject | undefined {
    const vmi = this.#context.informer(instances).get(vm.metadata.name, this.#namespace);
    return vmi && !isFinal(vmi) ? vmi : undefined;
  }

  async #copies(content: KubeObject, disks: SourceDisk[]) {
    const { client, informer } = this.#context;
    const name = copiesName(this.#snapshot);
    const known = informer(claims).get(name, this.#namespace);
    if (known) return known;
    const draft = copiesClaim(content, name, disks);
    return client.create({ ...claims, namespace: this.#namespace }, draft).catch(existsIsFine);
  }

  async #copyCold(disks: SourceDisk[]): Promise<Outcome> {
    const name = copiesName(this.#snapshot);
    let left = 0;
    for (const { volume, claim } of disks) {
      const bytes = parseQuantity(claim.spec.resources.requests.storage);
      const pod = await ensureTaskPod(this.#context, {
        owner: this.#snapshot,
        name: `${name}-${volume}`,
        task: { kind: "copy", bytes, block: false, targetFile: copyFile(volume) },
        volumes: [
          { claim: claim.metadata.name, block: false, path: taskPaths.source, readOnly: true },
          { claim: name, block: false, path: taskPaths.target },
        ],
      });
      const state = copyState(pod);
      if (state.is === "failed") return { error: `volume ${volume}: ${state.why}` };
      if (state.is === "running") left += 1;
    }
    return left > 0 ? undefined : { indications: [] };
  }

  async #copyLive(vmi: KubeObject, disks: SourceDisk[]): Promise<Outcome> {
    const { informer } = this.#context;
    if (vmi.status?.phase !== "Running") return undefined;
    const name = copiesName(this.#snapshot);
    const holder = await ensureTaskPod(this.#context, {
      ...{ owner: this.#snapshot, name, nodeName: vmi.status.nodeName },
      task: { kind: "serve", bytes: 0, block: false },
      volumes: [{ claim: name, block: false, path: taskPaths.target }],
    });
    if (holder?.status?.phase !== "Running") return undefined;
    const own = informer(pods)
      .list(this.#namespace)
      .filter((pod) => controllerOf(pod)?.uid === vmi.metadata.uid);
    const pod = currentPod(vmi, own);
    if (!pod) return undefined;
    const control = vmControl(await this.#connect(pod.spec.nodeName), pod.metadata.uid);
    const volumes = disks.map(({ volume }) => volume);
    const { quiesced } = await control.backup(volumes, {
      holder: holder.metadata.uid,
      volume: "disk-0",
    });
    return { indications: ["Online", quiesced ? "GuestAgent" : "NoGuestAgent"] };
  }

  async #cleanUp() {
    const { informer } = this.#context;
    const own = informer(pods)
      .list(this.#namespace)
      .filter((pod) => controllerOf(pod)?.uid === this.#snapshot.metadata.uid);
    for (const pod of own) await removePod(this.#context, pod);
  }

  async #write(vm: KubeObject | undefined, outcome: Outcome) {
    const { client, clock } = this.#context;
    const { metadata, status: before = {} } = this.#snapshot;
    const time = timestamp(clock.now());
    const failed = outcome !== undefined && "error" in outcome;
    const done = outcome !== undefined && !failed;
    const error = failed && { error: { message: outcome.error, time } };
    const volumes = vm?.spec.template.spec.volumes ?? [];
    const included: string[] = vm
      ? claimsByVolume(vm.spec.template.spec).map(({ volume }) => volume)
      : [];
    const why = vm ? "In error or in progress" : "Source does not exist";
    const conditions = [
      {
        type: "Ready",
        status: done ? "True" : "False",
        reason: done ? "Operation complete" : "Not ready",
      },
      {
        type: "Progressing",
        status: outcome ? "False" : "True",
        reason: outcome ? "Operation complete" : why,
      },
    ].reduce((list: any[], one: any) => withCondition(list, one, time), before.conditions ?? []);
    const status = {
      ...before,
      phase: failed ? "Failed" : done ? "Succeeded" : "InProgress",
      readyToUse: done,
      conditions,
      ...(vm && {
        sourceUID: vm.metadata.uid,
        virtualMachineSnapshotContentName: contentName(this.#snapshot),
      }),
      ...(done && {
        creationTime: time,
        indications: outcome.indications,
        snapshotVolumes: {
          includedVolumes: included,
          excludedVolumes: volumes
            .map(({ name }: any) => name)
            .filter((one: string) => !included.includes(one)),
        },
      }),
      ...error,
    };
    if (done) {
      const content = { status: { readyToUse: true, creationTime: time } };
      const at = {
        ...snapshotContents,
        namespace: this.#namespace,
        name: contentName(this.#snapshot),
      };
      await client.patch({ ...at, subresource: "status" }, "merge", content);
    }
    if (jsonEqual(status, before)) return;
    const target = { ...snapshots, namespace: this.#namespace, name: metadata.name };
    await client.update({ ...target, subresource: "status" }, { ...this.#snapshot, status });
  }
}

function existsIsFine(error: unknown): undefined {
  if (!isStatus(error, "AlreadyExists")) throw error;
}

const owner = (object: KubeObject): Key[] => {
  const reference = controllerOf(object);
  if (reference?.kind !== "VirtualMachineSnapshot") return [];
  return [`${object.metadata.namespace}/${reference.name}`];
};

export const snapshotController = (connect: NodeConnector): Controller => ({
  name: "virtual-machine-snapshot",
  inputs: [
    { resource: snapshots },
    { resource: pods, keys: owner },
    { resource: snapshotContents, keys: () => [] },
    { resource: virtualMachines, keys: lockHolder("snapshotInProgress") },
    { resource: instances, keys: () => [] },
    { resource: claims, keys: () => [] },
  ],
  outputs: [
    snapshotContents,
    { ...snapshots, resource: "virtualmachinesnapshots/status" },
    claims,
    pods,
  ],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const snapshot = context.informer(snapshots).get(name, namespace);
    if (!snapshot || snapshot.metadata.deletionTimestamp) {
      return freeLocks(context, key, "snapshotInProgress");
    }
    await new Snapshotting(snapshot, context, connect).run(key);
  },
});
