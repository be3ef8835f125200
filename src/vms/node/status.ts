// What the node says of a VMI: phase, conditions, addresses, disks. Pure; what others wrote stays.
import { withCondition } from "../../controllers/pod-state.ts";
import type { Condition } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import type { Domain } from "../domain.ts";
import { qemuUser } from "../domain.ts";
import type { GuestInterface } from "./guest-facts.ts";

export interface VmFacts {
  domain: Domain;
  /** QEMU's word for it; "" while it does not answer. */
  status: string;
  stopReason: string;
  agentConnected: boolean;
  frozen: boolean;
  /** Of people's access to the guest, where there is any to say. */
  access: Condition | undefined;
  accelerator: "kvm" | "tcg";
  podIps: string[];
  guestInterfaces: GuestInterface[];
  guestOs: Record<string, string> | undefined;
  /** Volumes that were plugged in while it ran. */
  plugged: string[];
}

/** Names as Linux gives them, in the order of the buses. */
export function diskTargets(disks: { name: string; bus: string }[]): Map<string, string> {
  const counts: Record<string, number> = {};
  const targets = new Map<string, string>();
  for (const { name, bus } of disks) {
    const prefix = bus === "virtio" ? "vd" : "sd";
    const n = counts[prefix] ?? 0;
    counts[prefix] = n + 1;
    const first = n >= 26 ? String.fromCharCode(96 + Math.floor(n / 26)) : "";
    targets.set(name, `${prefix}${first}${String.fromCharCode(97 + (n % 26))}`);
  }
  return targets;
}

const isBound = ({ source }: Domain["disks"][number]) =>
  (source.kind === "file" && !source.shared && !source.replicated) ||
  (source.kind === "block" && !source.shared);

/** Whether it could go to another node, and why not. */
export function migratable(domain: Domain, accelerator: VmFacts["accelerator"]): Condition {
  const { disks, interfaces, filesystems, state, tpm, hostDevices = [], hugePageBytes } = domain;
  const no = (reason: string, message: string): Condition => ({
    ...{ type: "LiveMigratable", status: "False", reason, message },
  });
  if (interfaces.some(({ binding }) => binding === "bridge")) {
    const why = "cannot migrate VMI which does not use masquerade to connect to the pod network";
    return no("InterfaceNotLiveMigratable", why);
  }
  const bound = disks.find(isBound);
  if (bound) {
    const why = `cannot migrate VMI: volume ${bound.name} is not shared between nodes`;
    return no("DisksNotLiveMigratable", why);
  }
  if (filesystems.length > 0) {
    return no("VirtIOFSNotLiveMigratable", "cannot migrate VMI with shared file systems");
  }
  if (hostDevices.length > 0) {
    return no("HostDeviceNotLiveMigratable", "cannot migrate VMI with devices of its node");
  }
  if (tpm?.persistent) {
    // swtpm locks them until it ends, which is after the guest has left.
    const why = "cannot migrate VMI: what its TPM keeps can be open on one node alone";
    return no("PersistentTPMNotLiveMigratable", why);
  }
  if (state && !state.shared) {
    const why = "cannot migrate VMI: what its firmware keeps is not shared between nodes";
    return no("DisksNotLiveMigratable", why);
  }
  if (hugePageBytes && accelerator === "tcg") {
    // Their size is even (qemu/arguments.ts).
    const why = "cannot migrate VMI: QEMU would lose writes to the huge pages of an emulated guest";
    return no("HugepagesNotLiveMigratable", why);
  }
  return { type: "LiveMigratable", status: "True" };
}

/** Of KubeVirt's conditions; disks of a running machine are not exchanged for others here. */
const staysOnItsVolumes: Condition = {
  type: "StorageLiveMigratable",
  status: "False",
  reason: "NotMigratable",
  message: "volumes of a running machine are not moved to other volumes",
};

function conditionsOf(facts: VmFacts): { wanted: Condition[]; absent: string[] } {
  const wanted: Condition[] = [migratable(facts.domain, facts.accelerator), staysOnItsVolumes];
  const absent: string[] = [];
  const say = (isTrue: boolean, condition: Condition) => {
    if (isTrue) wanted.push(condition);
    else absent.push(condition.type);
  };
  say(facts.agentConnected, { type: "AgentConnected", status: "True" });
  const { stopReason } = facts;
  // One that waits for its replicated disks is not people's to begin.
  const isYetToBegin = facts.status === "prelaunch" && facts.domain.startPaused;
  const isStopped = ["paused", "io-error"].includes(facts.status) || isYetToBegin;
  say(isStopped, {
    type: "Paused",
    status: "True",
    reason: stopReason ? "PausedIOError" : "PausedByUser",
    message: stopReason ? `VMI was paused: ${stopReason}` : "VMI was paused by user",
  });
  say(facts.accelerator === "tcg", {
    type: "SoftwareEmulation",
    status: "True",
    reason: "KVMNotAvailable",
    message: "the guest is emulated: this node has no hardware virtualization that works",
  });
  if (facts.access) wanted.push(facts.access);
  return { wanted, absent };
}

function interfacesOf({ domain, podIps, guestInterfaces }: VmFacts) {
  return domain.interfaces.map((one) => {
    const inGuest = guestInterfaces.find(({ mac }) => mac === one.mac);
    return {
      name: one.name,
      mac: one.mac,
      ...(podIps[0] && { ipAddress: podIps[0], ipAddresses: podIps }),
      ...(inGuest && { interfaceName: inGuest.interfaceName }),
      podInterfaceName: "eth0",
      infoSource: inGuest ? "domain, guest-agent" : "domain",
      linkState: one.linkUp ? "up" : "down",
      queueCount: 1,
    };
  });
}

function volumesOf({ domain, plugged }: VmFacts, before: any[]) {
  const targets = diskTargets(domain.disks);
  const own = domain.disks.map(({ name }) => {
    const known = before.find((one) => one.name === name);
    return { ...known, name, target: targets.get(name)! };
  });
  const others = before.filter(({ name }) => !targets.has(name));
  return [
    ...own,
    ...others.map((one) =>
      plugged.includes(one.name) ? { ...one, target: one.target ?? "" } : one,
    ),
  ];
}

const bytes = (value: number) => `${Math.floor(value / 2 ** 20)}Mi`;

function fixedFacts({ domain }: VmFacts) {
  const { sockets, cores, threads } = domain.cpu;
  const memory = bytes(domain.memoryBytes);
  const copies = domain.disks.some(
    ({ source }) => source.kind === "emptyDisk" || source.kind === "containerDisk",
  );
  return {
    machine: { type: domain.machine },
    currentCPUTopology: { sockets, cores, threads },
    memory: { guestAtBoot: memory, guestCurrent: memory, guestRequested: memory },
    runtimeUser: qemuUser,
    migrationMethod: copies ? "BlockMigration" : "LiveMigration",
    migrationTransport: "Unix",
  };
}

const isUp = (status: string) =>
  ["running", "paused", "io-error", "prelaunch", "shutdown", "postmigrate"].includes(status);

/** The VMI's next status. */
export function nodeStatus(vmi: KubeObject, facts: VmFacts, now: number) {
  const status = vmi.status ?? {};
  const time = timestamp(now);
  const { wanted, absent } = conditionsOf(facts);
  const kept = (status.conditions ?? []).filter((one: Condition) => !absent.includes(one.type));
  const conditions = wanted.reduce((list, one) => withCondition(list, one, time), kept);
  const starts = status.phase === "Scheduled" && isUp(facts.status);
  const phase = starts ? "Running" : status.phase;
  const { fsFreezeStatus: _, ...rest } = status;
  return {
    ...rest,
    phase,
    ...(starts && {
      phaseTransitionTimestamps: [
        ...(status.phaseTransitionTimestamps ?? []),
        { phase, phaseTransitionTimestamp: time },
      ],
    }),
    conditions,
    ...fixedFacts(facts),
    interfaces: interfacesOf(facts),
    volumeStatus: volumesOf(facts, status.volumeStatus ?? []),
    guestOSInfo: facts.guestOs ?? status.guestOSInfo ?? {},
    ...(facts.frozen && { fsFreezeStatus: "frozen" }),
  };
}
