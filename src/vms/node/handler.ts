// The node's controller of VMs, as KubeVirt's virt-handler: follows the launcher pods of this node, keeps a `Vm` for
// each whose QEMU runs, presses the power button of those that are to end, and writes what it sees to their VMIs.
import { rm } from "node:fs/promises";
import type { Controller, ControllerContext, Key } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { conditionOf } from "../../controllers/pod-state.ts";
import { sleep } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import { accessEvent, GuestAccess } from "../credentials/tell-agent.ts";
import type { Domain } from "../domain.ts";
import { computeContainer, domainAnnotation, launcherPaths } from "../domain.ts";
import { instances, pods } from "../kinds/resources.ts";
import { tellClaimedDevices } from "./claimed-devices.ts";
import { lostDevices } from "./passthrough/lost-devices.ts";
import { isHeld } from "./replication/held.ts";
import { mindArrivals } from "./arriving.ts";
import { mindMigration } from "./migration.ts";
import { mindCopies } from "./replication/standing-still.ts";
import { serveDhcp } from "./dhcp-server.ts";
import { rebootEvent } from "./guest-events.ts";
import type { GuestEvent } from "./guest-events.ts";
import { guestInterfaces, guestOsInfo } from "./guest-facts.ts";
import { Shortage } from "./full-disk.ts";
import type { GuestInterface } from "./guest-facts.ts";
import type { QmpEvent } from "./qmp.ts";
import type { HolderVolumes } from "./hotplug.ts";
import { nodeStatus } from "./status.ts";
import { Vm } from "./vm.ts";

/** Before the pod's own end, QEMU is told to write down what it holds. */
const quitMarginMs = 2000;
/** A guest that was still booting did not see the button. */
const pressMs = 5000;
/** The guest's agent is asked again this often. */
const askMs = 10_000;
/** A pod's claims are looked at again. */
const claimMs = 250;
/** Who answers DHCP tries again. */
const addressRetryMs = 1000;
/** A full disk is looked at again. */
const roomMs = 2000;

interface Machine {
  vm: Vm;
  scope: Scope;
  access: GuestAccess;
  shortage: Shortage;
  askedAt: number;
  guestInterfaces: GuestInterface[];
  guestOs: Record<string, string> | undefined;
  seenRunning: boolean;
  pressedAt: number;
  /** Its guest is not waited for any more. */
  isQuitting: boolean;
  /** Devices of the node that it had, and of which it was told. */
  lost: string[];
}

export interface HandlerOptions {
  node: string;
  /** The host's folders of a pod's sockets and of its Secrets, and Kerb's notes about it. */
  run: (podUid: string) => string;
  secret: (podUid: string, volume: string) => string;
  notes: (podUid: string) => string;
  volumes: HolderVolumes;
  accelerator: "kvm" | "tcg";
  scope: Scope;
}

const runs = (pod: KubeObject) =>
  pod.status?.phase === "Running" &&
  (pod.status.containerStatuses ?? []).some(
    ({ name, state }: any) => name === computeContainer && state?.running,
  );

const ended = ({ status }: KubeObject) => ["Succeeded", "Failed"].includes(status?.phase);

/** The VMI of a launcher pod. */
const keyOfPod = (pod: KubeObject): Key[] => {
  const name = pod.metadata.annotations?.["kubevirt.io/domain"];
  return name && pod.metadata.annotations?.[domainAnnotation]
    ? [`${pod.metadata.namespace}/${name}`]
    : [];
};

export class VmHandler {
  readonly #options: HandlerOptions;
  readonly #machines = new Map<string, Machine>();
  /** Pods of which it is written down which devices they get, and their keys. */
  readonly #told = new Map<string, Key>();
  #context: ControllerContext | undefined;

  constructor(options: HandlerOptions) {
    this.#options = options;
  }

  /** The VM of a launcher pod. */
  find(podUid: string): Vm | undefined {
    return this.#machines.get(podUid)?.vm;
  }

  /** Those that answer and are no target of a move. */
  running(): Vm[] {
    const all = [...this.#machines.values()].map(({ vm }) => vm);
    return all.filter(
      ({ status, migratedAway }) => !["", "inmigrate"].includes(status) && !migratedAway,
    );
  }

  get controller(): Controller {
    const { node } = this.#options;
    return {
      name: "virt-handler",
      inputs: [
        { resource: pods, fieldSelector: `spec.nodeName=${node}`, keys: keyOfPod },
        { resource: instances, labelSelector: `kubevirt.io/nodeName=${node}` },
      ],
      outputs: [instances],
      resyncMs: askMs,
      start: (context) => void (this.#context = context),
      reconcile: (key, context) => this.#reconcile(key, context),
    };
  }

  async #reconcile(key: Key, context: ControllerContext) {
    const [namespace = "", name = ""] = key.split("/");
    const own = context
      .informer(pods)
      .list(namespace)
      .filter((pod) => keyOfPod(pod)[0] === key);
    for (const pod of own) await this.#follow(pod, key, context);
    await this.#forget(key, own);
    const vmi = context.informer(instances).get(name, namespace);
    if (!vmi) return;
    const current = own.find(({ metadata }) => this.#isCurrent(vmi, metadata.uid));
    const machine = current && this.#machines.get(current.metadata.uid);
    if (!machine) return;
    this.#tellOfLost(vmi, lostDevices(current), machine, context);
    await this.#tell(vmi, machine, context);
    if (await this.#isShort(machine, context)) context.wakeAfter(key, roomMs);
  }

  #tellOfLost(vmi: KubeObject, lost: string[], machine: Machine, { event }: ControllerContext) {
    for (const one of lost.filter((text) => !machine.lost.includes(text))) {
      event(vmi, "Warning", "HostDeviceLost", one);
    }
    machine.lost = lost;
  }

  async #isShort({ vm, shortage }: Machine, { clock }: ControllerContext): Promise<boolean> {
    const { podUid, run, domain } = vm.options;
    const { volumes } = this.#options;
    const files = domain.disks.filter(({ source }) => source.kind === "file");
    const folders = async () => [
      run,
      ...(await Promise.all(
        files.map(({ name }) => volumes.folder(podUid, name).catch(() => run)),
      )),
    ];
    return shortage.look(vm, folders, clock.monotonic());
  }

  /** During a live migration two pods may be here; the VMI is where the source is until it says otherwise. */
  #isCurrent(vmi: KubeObject, podUid: string): boolean {
    const machine = this.#machines.get(podUid);
    if (!machine || vmi.status?.nodeName !== this.#options.node) return false;
    return machine.vm.status !== "" && machine.vm.status !== "inmigrate";
  }

  async #follow(pod: KubeObject, key: Key, context: ControllerContext) {
    const { uid, deletionTimestamp } = pod.metadata;
    let machine = this.#machines.get(uid);
    if (ended(pod)) {
      if (machine) this.#tellDeletion(machine.vm);
      return this.#end(uid);
    }
    if (runs(pod) && !machine) machine = this.#adopt(pod, key, context);
    if (!machine) return this.#tellDevices(pod, key, context);
    machine.vm.addresses = (pod.status?.podIPs ?? []).map(({ ip }: any) => ip);
    if (deletionTimestamp) this.#powerDown(pod, machine, key, context);
  }

  /** Whoever starts QEMU waits to be told which devices the pod's claims are. */
  async #tellDevices(pod: KubeObject, key: Key, { client, wakeAfter }: ControllerContext) {
    const { uid } = pod.metadata;
    if (this.#told.has(uid)) return;
    const { node, notes } = this.#options;
    if (await tellClaimedDevices(pod, { client, node, notes: notes(uid) })) {
      this.#told.set(uid, key);
    } else {
      wakeAfter(key, claimMs);
    }
  }

  #adopt(pod: KubeObject, key: Key, context: ControllerContext): Machine {
    const { uid, namespace = "", name, annotations } = pod.metadata;
    const { run, secret, notes, scope: whole } = this.#options;
    const scope = whole.child();
    const domain = JSON.parse(annotations![domainAnnotation]!) as Domain;
    const vm = new Vm({
      ...{ podUid: uid, namespace, podName: name, domain, run: run(uid), notes: notes(uid) },
      inside: launcherPaths.run,
      ...{ clock: context.clock, scope, changed: () => this.#context?.wakeAfter(key, 0) },
    });
    mindCopies(vm);
    vm.onEvent((told) => this.#hear(vm, told));
    mindMigration(vm);
    mindArrivals(vm);
    const access = new GuestAccess(domain.credentials ?? [], (volume) => secret(uid, volume));
    const machine: Machine = {
      ...{ vm, scope, access, askedAt: Number.NEGATIVE_INFINITY, guestInterfaces: [] },
      shortage: new Shortage(),
      ...{ guestOs: undefined, seenRunning: false, pressedAt: Number.NEGATIVE_INFINITY },
      isQuitting: false,
      lost: [],
    };
    this.#machines.set(uid, machine);
    void this.#serve(vm, scope, context);
    return machine;
  }

  /** What happens to a guest, in KubeVirt's words. */
  #tellEvent(vm: Vm, { reason, message }: GuestEvent) {
    const { namespace, domain } = vm.options;
    const vmi = this.#context?.informer(instances).get(domain.name, namespace);
    if (vmi) this.#context!.event(vmi, "Normal", reason, message);
  }

  #tellDeletion(vm: Vm) {
    const { namespace, domain } = vm.options;
    const vmi = this.#context?.informer(instances).get(domain.name, namespace);
    if (!vmi?.metadata.deletionTimestamp) return;
    this.#tellEvent(vm, { reason: "Deleted", message: "Signaled Deletion" });
  }

  #hear(vm: Vm, told: QmpEvent) {
    const happened = rebootEvent(told, vm.rebootAsked);
    if (told.event === "RESET") vm.rebootAsked = false;
    if (happened) this.#tellEvent(vm, happened);
  }

  /** Tries until it can: a guest without an address is of no use to anybody. */
  async #serve(vm: Vm, scope: Scope, { clock, log }: ControllerContext) {
    const { podName: pod, namespace } = vm.options;
    let served = 0;
    for (let tries = 0; !scope.closed; tries++) {
      try {
        const network = await vm.network();
        for (const lease of network.leases.slice(served)) {
          await serveDhcp(network.namespace, lease, scope);
          served += 1;
        }
        return;
      } catch (error) {
        const why = (error as Error).message;
        if (tries === 0) log.warn("a guest gets no address yet", { namespace, pod, error: why });
      }
      await sleep(clock, addressRetryMs, scope.signal).catch(() => {});
    }
  }

  #powerDown(pod: KubeObject, machine: Machine, key: Key, context: ControllerContext) {
    const { vm } = machine;
    if (vm.status === "" || vm.migratedAway) return;
    const { clock, log } = context;
    const leftMs = Date.parse(pod.metadata.deletionTimestamp!) - quitMarginMs - clock.now();
    if (leftMs <= 0) {
      if (!machine.isQuitting) {
        machine.isQuitting = true;
        const grace = "its guest did not power down within its grace period";
        const message = `VirtualMachineInstance stopping: ${grace}`;
        this.#tellEvent(vm, { reason: "ShuttingDown", message });
      }
      return void vm.qmp.execute("quit").catch(() => {});
    }
    const now = clock.monotonic();
    context.wakeAfter(key, Math.min(leftMs, pressMs));
    if (now - machine.pressedAt < pressMs) return;
    const vmi = context.informer(instances).get(vm.domain.name, pod.metadata.namespace);
    if (vmi && machine.pressedAt === Number.NEGATIVE_INFINITY) {
      context.event(vmi, "Normal", "ShuttingDown", "Signaled Graceful Shutdown");
    }
    machine.pressedAt = now;
    const press = async () => {
      // Nothing runs in it that could power down.
      if (isHeld(vm)) return void (await vm.qmp.execute("quit"));
      if (vm.status === "paused") await vm.qmp.execute("cont");
      await vm.qmp.execute("system_powerdown");
    };
    press().catch((error: Error) => {
      log.warn("a power button was not pressed", { error: error.message });
    });
  }

  async #end(podUid: string) {
    const machine = this.#machines.get(podUid);
    this.#machines.delete(podUid);
    this.#told.delete(podUid);
    await machine?.scope.close();
    await rm(this.#options.notes(podUid), { recursive: true, force: true });
  }

  /** Pods that are gone without having been seen to end. */
  async #forget(key: Key, own: KubeObject[]) {
    const there = new Set(own.map(({ metadata }) => metadata.uid));
    for (const [uid, { vm }] of this.#machines) {
      const { namespace, domain } = vm.options;
      if (`${namespace}/${domain.name}` === key && !there.has(uid)) await this.#end(uid);
    }
    for (const [uid, of] of this.#told) if (of === key && !there.has(uid)) await this.#end(uid);
  }

  async #ask(machine: Machine, context: ControllerContext) {
    const { vm } = machine;
    const now = context.clock.monotonic();
    if (!vm.agentConnected) machine.access.lost();
    if (!vm.agentConnected || now - machine.askedAt < askMs - 1000) return;
    machine.askedAt = now;
    try {
      const agent = await vm.agent();
      machine.guestInterfaces = guestInterfaces(
        await agent.execute("guest-network-get-interfaces"),
      );
      machine.guestOs ??= guestOsInfo(await agent.execute("guest-get-osinfo"));
    } catch {
      // An agent that does not know the question, or answers too late.
    }
    await vm.agent().then(
      (agent) => machine.access.tell(agent),
      () => {},
    );
  }

  async #tell(vmi: KubeObject, machine: Machine, context: ControllerContext) {
    const { client, clock, event } = context;
    await this.#ask(machine, context);
    const { vm } = machine;
    const { accelerator } = this.#options;
    const facts = {
      ...{ domain: vm.domain, status: vm.status, stopReason: vm.stopReason, frozen: vm.frozen },
      ...{ agentConnected: vm.agentConnected, accelerator, podIps: vm.addresses, plugged: [] },
      ...{ guestInterfaces: machine.guestInterfaces, guestOs: machine.guestOs },
      access: machine.access.condition,
    };
    const status = nodeStatus(vmi, facts, clock.now());
    if (jsonEqual(status, vmi.status)) return;
    if (status.phase === "Running" && !machine.seenRunning) {
      machine.seenRunning = true;
      if (vmi.status?.phase !== "Running") {
        event(vmi, "Normal", "Created", "VirtualMachineInstance defined.");
        event(vmi, "Normal", "Started", "VirtualMachineInstance started.");
      }
    }
    const told = accessEvent(conditionOf(vmi, facts.access?.type ?? ""), facts.access);
    if (told) event(vmi, told.type, told.reason, told.message);
    const { namespace, name } = vmi.metadata;
    await client
      .update({ ...instances, namespace, name }, { ...vmi, status })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
  }
}
