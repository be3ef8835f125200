// Volumes that come and go while a VMI runs: a pod beside the VM's holds the claim on its node, from where the disk
// is shown to QEMU.
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import { vmControl } from "../control.ts";
import type { VmControl } from "../control.ts";
import { ensureTaskPod, removePod } from "../copies/copy-task.ts";
import { diskOf } from "../disk-of.ts";
import { taskPaths } from "../disks/task.ts";
import { currentPod } from "../instance/plan.ts";
import { claims, dataVolumes, instances, pods } from "../kinds/resources.ts";
import { isReplicated } from "../replication/record.ts";
import { planHotplug, withVolumeStatus } from "./plan.ts";
import type { VolumeStatus } from "./plan.ts";

const lookMs = 1000;
const retryMs = 5000;

class Plugging {
  readonly #vmi: KubeObject;
  readonly #context: ControllerContext;
  readonly #connect: NodeConnector;
  readonly #namespace: string;
  #status: any[];

  constructor(vmi: KubeObject, context: ControllerContext, connect: NodeConnector) {
    this.#vmi = vmi;
    this.#context = context;
    this.#connect = connect;
    this.#namespace = vmi.metadata.namespace!;
    this.#status = vmi.status?.volumeStatus ?? [];
  }

  async run(key: Key) {
    const plan = planHotplug(this.#vmi);
    if (plan.add.length + plan.remove.length === 0) return;
    let wakeMs: number | undefined;
    for (const name of plan.remove) {
      if (!(await this.#remove(name))) wakeMs = retryMs;
    }
    for (const one of plan.add) {
      const state = await this.#add(one);
      this.#status = withVolumeStatus(this.#status, state);
      if (state.phase !== "Ready") wakeMs = state.reason === "Failed" ? retryMs : lookMs;
    }
    await this.#write();
    if (wakeMs !== undefined) this.#context.wakeAfter(key, wakeMs);
  }

  #own(): KubeObject[] {
    return this.#context
      .informer(pods)
      .list(this.#namespace)
      .filter((pod) => controllerOf(pod)?.uid === this.#vmi.metadata.uid);
  }

  async #control(): Promise<VmControl> {
    const launchers = this.#own().filter((pod) => pod.metadata.labels?.["kubevirt.io"]);
    const pod = currentPod(this.#vmi, launchers);
    if (!pod) throw new Error(`${this.#vmi.metadata.name} has no pod`);
    return vmControl(await this.#connect(pod.spec.nodeName), pod.metadata.uid);
  }

  #holderName = (volume: string) => `hp-volume-${this.#vmi.metadata.uid.slice(0, 8)}-${volume}`;

  async #add({ name, claim: claimName }: { name: string; claim: string }): Promise<VolumeStatus> {
    const { informer, event } = this.#context;
    const claim = informer(claims).get(claimName, this.#namespace);
    const base = { name, claim };
    const waits = (phase: string, message: string) => ({ ...base, phase, reason: phase, message });
    const dv = informer(dataVolumes).get(claimName, this.#namespace);
    if (!claim || (dv && dv.status?.phase !== "Succeeded")) {
      return waits("Pending", `PVC ${claimName} is not ready`);
    }
    if (isReplicated(claim)) {
      return waits("Pending", `PVC ${claimName} is replicated, and such are not plugged in`);
    }
    const pod = await ensureTaskPod(this.#context, {
      owner: this.#vmi,
      name: this.#holderName(name),
      nodeName: this.#vmi.status.nodeName,
      task: { kind: "serve", bytes: 0, block: false },
      volumes: [{ claim: claimName, block: false, path: taskPaths.target, name }],
      labels: { "kubevirt.io/hotplug-volume": name },
    });
    if (pod?.status?.phase !== "Running") {
      return { ...waits("Bound", "the attachment pod is not running yet"), ...(pod && { pod }) };
    }
    let bus: string;
    try {
      const disk = this.#vmi.spec.domain.devices.disks.find((one: any) => one.name === name);
      const volume = this.#vmi.spec.volumes.find((one: any) => one.name === name);
      const isBlock = () => claim.spec.volumeMode === "Block";
      const plugged = { ...diskOf(disk ?? { name }, volume, { isBlock }), hotplugged: true };
      await (await this.#control()).addVolume(plugged, pod.metadata.uid);
      bus = plugged.bus;
    } catch (error) {
      const message = (error as Error).message;
      event(this.#vmi, "Warning", "FailedHotplug", `volume ${name}: ${message}`);
      return { ...base, pod, phase: "MountedToPod", reason: "Failed", message };
    }
    const message = `Successfully attach hotplugged volume ${name} to VM`;
    event(this.#vmi, "Normal", "VolumeReady", message);
    return { ...base, bus, pod, phase: "Ready", reason: "VolumeReady", message };
  }

  /** False when the guest keeps it. */
  async #remove(name: string): Promise<boolean> {
    const { event, informer } = this.#context;
    try {
      await (await this.#control()).removeVolume(name);
    } catch (error) {
      const message = (error as Error).message;
      event(this.#vmi, "Warning", "FailedUnplug", `volume ${name}: ${message}`);
      const state = { name, phase: "Detaching", reason: "Failed", message };
      this.#status = withVolumeStatus(this.#status, state);
      return false;
    }
    await removePod(this.#context, informer(pods).get(this.#holderName(name), this.#namespace));
    this.#status = this.#status.filter((one) => one.name !== name);
    event(this.#vmi, "Normal", "VolumeUnplugged", `Successfully detached volume ${name}`);
    return true;
  }

  async #write() {
    if (jsonEqual(this.#status, this.#vmi.status?.volumeStatus ?? [])) return;
    const { name } = this.#vmi.metadata;
    const status = { ...this.#vmi.status, volumeStatus: this.#status };
    const target = { ...instances, namespace: this.#namespace, name };
    await this.#context.client.update(target, { ...this.#vmi, status });
  }
}

const owner = (object: KubeObject): Key[] => {
  const reference = controllerOf(object);
  if (reference?.kind !== "VirtualMachineInstance") return [];
  return [`${object.metadata.namespace}/${reference.name}`];
};

export const hotplugController = (connect: NodeConnector): Controller => ({
  name: "virtual-machine-hotplug",
  inputs: [
    { resource: instances },
    { resource: pods, keys: owner },
    { resource: claims, keys: () => [] },
    { resource: dataVolumes, keys: () => [] },
  ],
  outputs: [instances, pods],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const vmi = context.informer(instances).get(name, namespace);
    if (!vmi || vmi.metadata.deletionTimestamp || vmi.status?.phase !== "Running") return;
    await new Plugging(vmi, context, connect).run(key);
  },
});
