// VirtualMachineClone: a snapshot of the source, restored under another name.
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import { isStatus } from "../../lib/status-error.ts";
import {
  clones,
  restores,
  snapshotContents,
  snapshots,
  virtualMachines,
} from "../kinds/resources.ts";
import { clonePatches, planClone } from "./clone-plan.ts";

const targetOf = (clone: KubeObject): string =>
  clone.spec.target?.name ?? `clone-${clone.spec.source.name}-${clone.metadata.uid.slice(0, 5)}`;

class Cloning {
  readonly #clone: KubeObject;
  readonly #context: ControllerContext;
  readonly #namespace: string;

  constructor(clone: KubeObject, context: ControllerContext) {
    this.#clone = clone;
    this.#context = context;
    this.#namespace = clone.metadata.namespace!;
  }

  async run() {
    const { informer, clock } = this.#context;
    const clone = this.#clone;
    const find = (resource: typeof snapshots, name: string | undefined) =>
      name === undefined ? undefined : informer(resource).get(name, this.#namespace);
    const { source } = clone.spec;
    const snapshotName =
      source.kind === "VirtualMachineSnapshot" ? source.name : `clone-${clone.metadata.uid}`;
    const target = targetOf(clone);
    const plan = planClone({
      clone,
      source: source.kind === "VirtualMachine" ? find(virtualMachines, source.name) : true,
      snapshot: find(snapshots, snapshotName),
      restore: find(restores, `clone-${clone.metadata.uid}`),
      target: find(virtualMachines, target),
    });
    if (plan.make === "snapshot") await this.#makeSnapshot(snapshotName);
    if (plan.make === "restore") await this.#makeRestore(snapshotName, target);
    const status = {
      ...clone.status,
      phase: plan.phase,
      ...{ snapshotName, targetName: target, restoreName: `clone-${clone.metadata.uid}` },
      ...(plan.phase === "Succeeded" && {
        creationTime: clone.status?.creationTime ?? timestamp(clock.now()),
      }),
      conditions: plan.conditions,
    };
    if (plan.phase === "Succeeded") await this.#cleanUp(snapshotName);
    if (jsonEqual(status, clone.status)) return;
    const { name } = clone.metadata;
    const at = { ...clones, namespace: this.#namespace, name, subresource: "status" };
    await this.#context.client.update(at, { ...clone, status });
    if (status.phase !== clone.status?.phase) {
      const type = status.phase === "Failed" ? "Warning" : "Normal";
      this.#context.event(
        clone,
        type,
        `Clone${status.phase}`,
        `${source.name} to ${target}: ${status.phase}`,
      );
    }
  }

  async #make(resource: typeof snapshots, draft: object) {
    const { client } = this.#context;
    await client
      .create({ ...resource, namespace: this.#namespace }, draft as any)
      .catch((error: unknown) => {
        if (!isStatus(error, "AlreadyExists")) throw error;
      });
  }

  #makeSnapshot(name: string) {
    return this.#make(snapshots, {
      apiVersion: "snapshot.kubevirt.io/v1beta1",
      kind: "VirtualMachineSnapshot",
      metadata: { name, ownerReferences: [controllerReference(this.#clone)] },
      spec: {
        source: {
          apiGroup: "kubevirt.io",
          kind: "VirtualMachine",
          name: this.#clone.spec.source.name,
        },
      },
    });
  }

  async #makeRestore(virtualMachineSnapshotName: string, target: string) {
    const { informer } = this.#context;
    const snapshot = informer(snapshots).get(virtualMachineSnapshotName, this.#namespace);
    const name: string = snapshot?.status?.virtualMachineSnapshotContentName ?? "";
    const content = informer(snapshotContents).get(name, this.#namespace);
    if (!content) return undefined;
    const patches = clonePatches(this.#clone, content.spec.source.virtualMachine);
    return this.#make(restores, {
      apiVersion: "snapshot.kubevirt.io/v1beta1",
      kind: "VirtualMachineRestore",
      metadata: {
        name: `clone-${this.#clone.metadata.uid}`,
        ownerReferences: [controllerReference(this.#clone)],
      },
      spec: {
        target: { apiGroup: "kubevirt.io", kind: "VirtualMachine", name: target },
        virtualMachineSnapshotName,
        ...(patches.length > 0 && { patches }),
      },
    });
  }

  /** The snapshot was a means. */
  async #cleanUp(snapshotName: string) {
    const { client, informer } = this.#context;
    const found = informer(snapshots).get(snapshotName, this.#namespace);
    if (!found || controllerOf(found)?.uid !== this.#clone.metadata.uid) return;
    const at = { ...snapshots, namespace: this.#namespace, name: snapshotName };
    await client.delete(at).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }
}

const owner = (object: KubeObject): Key[] => {
  const reference = controllerOf(object);
  if (reference?.kind !== "VirtualMachineClone") return [];
  return [`${object.metadata.namespace}/${reference.name}`];
};

export const cloneController: Controller = {
  name: "virtual-machine-clone",
  inputs: [
    { resource: clones },
    { resource: snapshots, keys: owner },
    { resource: restores, keys: owner },
    { resource: snapshotContents, keys: () => [] },
    { resource: virtualMachines, keys: () => [] },
  ],
  outputs: [snapshots, restores, { ...clones, resource: "virtualmachineclones/status" }],
  resyncMs: 5000,
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const clone = context.informer(clones).get(name, namespace);
    if (clone && !clone.metadata.deletionTimestamp) await new Cloning(clone, context).run();
  },
};
