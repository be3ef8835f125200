// Dumps of a machine's memory to a claim, as its status asks: a pod beside the machine holds the claim on its node,
// and QEMU writes there.
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import { controllerOf } from "../../kinds/object.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import type { NodeConnector } from "../../lib/node-connection.ts";
import { isStatus } from "../../lib/status-error.ts";
import { vmControl } from "../control.ts";
import { ensureTaskPod, removePod } from "../copies/copy-task.ts";
import { taskPaths } from "../disks/task.ts";
import { currentPod, isLauncher } from "../instance/plan.ts";
import { claims, instances, pods, virtualMachines } from "../kinds/resources.ts";
import { dumpAnnotation, dumpFile } from "./request.ts";
import type { DumpRequest } from "./request.ts";

const volume = "dump";
const holderName = (vm: KubeObject) => `memory-dump-${vm.metadata.name}`;

class Dumping {
  readonly #vm: KubeObject;
  readonly #request: DumpRequest;
  readonly #context: ControllerContext;
  readonly #connect: NodeConnector;
  readonly #at: { namespace: string; name: string };

  constructor(vm: KubeObject, context: ControllerContext, connect: NodeConnector) {
    this.#vm = vm;
    this.#request = vm.status.memoryDumpRequest;
    this.#context = context;
    this.#connect = connect;
    this.#at = { namespace: vm.metadata.namespace!, name: vm.metadata.name };
  }

  async run() {
    const { phase, claimName } = this.#request;
    if (phase === "InProgress") return this.#dump();
    if (phase === "Associating") {
      if (this.#running()) {
        const startTimestamp = timestamp(this.#context.clock.now());
        await this.#write({ claimName, phase: "InProgress", startTimestamp });
      }
      return;
    }
    await removePod(this.#context, this.#holder());
    if (phase === "Dissociating" && !this.#holder()) await this.#write(null);
  }

  #holder(): KubeObject | undefined {
    return this.#context.informer(pods).get(holderName(this.#vm), this.#at.namespace);
  }

  #running(): KubeObject | undefined {
    const vmi = this.#context.informer(instances).get(this.#at.name, this.#at.namespace);
    const isOwn = vmi && controllerOf(vmi)?.uid === this.#vm.metadata.uid;
    return isOwn && vmi.status?.phase === "Running" && !vmi.metadata.deletionTimestamp
      ? vmi
      : undefined;
  }

  async #dump() {
    const vmi = this.#running();
    if (!vmi) return this.#fail("the VMI ended before its memory was dumped");
    const { claimName } = this.#request;
    const holder = await ensureTaskPod(this.#context, {
      owner: this.#vm,
      name: holderName(this.#vm),
      nodeName: vmi.status.nodeName,
      task: { kind: "serve", bytes: 0, block: false },
      volumes: [{ claim: claimName, block: false, path: taskPaths.target, name: volume }],
    });
    // Its start wakes us.
    if (holder?.status?.phase !== "Running") return;
    const own = this.#context
      .informer(pods)
      .list(this.#at.namespace)
      .filter((pod) => controllerOf(pod)?.uid === vmi.metadata.uid && isLauncher(pod));
    const pod = currentPod(vmi, own);
    if (!pod?.spec.nodeName) return this.#fail("the VMI has no pod");
    const fileName = dumpFile(this.#at.name, this.#request);
    try {
      const control = vmControl(await this.#connect(pod.spec.nodeName), pod.metadata.uid);
      await control.dumpMemory(fileName, { holder: holder.metadata.uid, volume });
    } catch (error) {
      if (isStatus(error, "ServiceUnavailable", "Timeout")) throw error;
      return this.#fail((error as Error).message);
    }
    await this.#mark(fileName);
    const endTimestamp = timestamp(this.#context.clock.now());
    await this.#write({ ...this.#request, phase: "Completed", fileName, endTimestamp });
  }

  async #fail(message: string) {
    this.#context.event(this.#vm, "Warning", "MemoryDumpError", message);
    await this.#mark("Memory dump failed");
    const endTimestamp = timestamp(this.#context.clock.now());
    await this.#write({ ...this.#request, phase: "Failed", message, endTimestamp });
  }

  async #mark(text: string) {
    const target = { ...claims, namespace: this.#at.namespace, name: this.#request.claimName };
    const patch = { metadata: { annotations: { [dumpAnnotation]: text } } };
    await this.#context.client.patch(target, "merge", patch).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    });
  }

  /** Unless somebody asked for something else meanwhile. */
  async #write(next: DumpRequest | null) {
    const path = "/status/memoryDumpRequest";
    const patch = [
      { op: "test", path, value: this.#request },
      next ? { op: "replace", path, value: next } : { op: "remove", path },
    ];
    const target = { ...virtualMachines, ...this.#at, subresource: "status" };
    await this.#context.client.patch(target, "json", patch);
  }
}

export const memoryDumpController = (connect: NodeConnector): Controller => ({
  name: "virtual-machine-memory-dump",
  inputs: [
    { resource: virtualMachines },
    { resource: instances },
    { resource: claims, keys: () => [] },
    {
      resource: pods,
      keys: (pod) => {
        const owner = controllerOf(pod);
        return owner?.kind === "VirtualMachine" ? [`${pod.metadata.namespace}/${owner.name}`] : [];
      },
    },
  ],
  outputs: [{ ...virtualMachines, resource: "virtualmachines/status" }, pods, claims],
  workers: 4,
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const vm = context.informer(virtualMachines).get(name, namespace);
    if (!vm?.status?.memoryDumpRequest || vm.metadata.deletionTimestamp) return;
    await new Dumping(vm, context, connect).run();
  },
});
