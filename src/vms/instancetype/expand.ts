// A machine's template with its instance type and preference filled in. What the instance type says must not be
// said by the machine too; a preference gives way to the machine. Pure.
import { forbiddenValue, invalidValue } from "../../kinds/field-checks.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import type { FieldError } from "../../lib/status-error.ts";
import { withOpenDevices } from "../admission/defaults.ts";

/** The specs of a VirtualMachineInstancetype and a VirtualMachinePreference. */
export interface Sizing {
  instancetype?: any;
  preference?: any;
}

export interface Expanded {
  /** Of the instance. */
  spec: any;
  /** For the instance's metadata. */
  annotations: Record<string, string>;
  errors: FieldError[];
}

const why = "this is said by the machine's instance type";
const at = "spec.template.spec";

/** Cores for each socket, and threads of each core, as a preference spreads CPUs. */
interface Spread {
  cores: number;
  threads: number;
}

const spreadDefault: Spread = { cores: 2, threads: 1 };
const threadsPerCore = 2;

function spreadOf({ spreadOptions = {} }: any, coresPerSocket: number | undefined): Spread {
  const cores: number = spreadOptions.ratio ?? coresPerSocket ?? spreadDefault.cores;
  if (spreadOptions.across === "SocketsCoresThreads") return { cores, threads: threadsPerCore };
  return { ...spreadDefault, cores };
}

const topologies: Record<string, (guest: number, spread: Spread) => object> = {
  sockets: (sockets) => ({ sockets, cores: 1, threads: 1 }),
  cores: (cores) => ({ cores, sockets: 1, threads: 1 }),
  threads: (threads) => ({ threads, sockets: 1, cores: 1 }),
  spread: (guest, { cores, threads }) =>
    guest % (cores * threads) === 0
      ? { sockets: guest / (cores * threads), cores, threads }
      : { sockets: guest, cores: 1, threads: 1 },
  spreadcores: (guest) =>
    guest % threadsPerCore === 0
      ? { sockets: 1, cores: guest / threadsPerCore, threads: threadsPerCore }
      : { sockets: 1, cores: guest, threads: 1 },
};

function topology(guest: number, { cpu = {}, preferSpreadSocketToCoreRatio }: any = {}) {
  const isOfCores = cpu.spreadOptions?.across === "CoresThreads";
  const make = topologyOf(cpu.preferredCPUTopology);
  const chosen = isOfCores && make === topologies["spread"] ? topologies["spreadcores"]! : make;
  return chosen(guest, spreadOf(cpu, preferSpreadSocketToCoreRatio));
}

/** Names of an older version. */
const topologyOf = (name = "sockets") =>
  topologies[name.replace(/^prefer/, "").toLowerCase()] ?? topologies["sockets"]!;

function said(domain: any): string[] {
  const { cpu = {}, memory = {}, resources = {} } = domain;
  const cpus = ["sockets", "cores", "threads", "model"].filter((name) => cpu[name] !== undefined);
  const of = (kind: string) =>
    ["cpu", "memory"]
      .filter((name) => resources[kind]?.[name] !== undefined)
      .map((name) => `resources.${kind}.${name}`);
  return [
    ...cpus.map((name) => `cpu.${name}`),
    ...(memory.guest !== undefined ? ["memory.guest"] : []),
    ...of("requests"),
    ...of("limits"),
  ];
}

function size(spec: any, { instancetype, preference }: Sizing): FieldError[] {
  const { domain } = spec;
  const errors = said(domain).map((name) => forbiddenValue(`${at}.domain.${name}`, why));
  const { cpu, memory } = instancetype;
  domain.cpu = {
    ...domain.cpu,
    ...topology(cpu.guest, preference),
    ...(cpu.maxSockets && { maxSockets: cpu.maxSockets }),
    ...(cpu.model && { model: cpu.model }),
    ...(cpu.dedicatedCPUPlacement && { dedicatedCpuPlacement: true }),
    ...(cpu.isolateEmulatorThread && { isolateEmulatorThread: true }),
    ...(cpu.numa && { numa: cpu.numa }),
    ...(cpu.realtime && { realtime: cpu.realtime }),
  };
  domain.memory = {
    ...domain.memory,
    guest: memory.guest,
    ...(memory.hugepages && { hugepages: memory.hugepages }),
    ...(memory.maxGuest && { maxGuest: memory.maxGuest }),
  };
  if (memory.overcommitPercent) {
    const bytes = parseQuantity(memory.guest) * (1 - memory.overcommitPercent / 100);
    domain.resources = {
      ...domain.resources,
      requests: { ...domain.resources?.requests, memory: String(Math.ceil(bytes)) },
    };
  }
  for (const name of ["gpus", "hostDevices"]) {
    if (instancetype[name]?.length) domain.devices[name] = instancetype[name];
  }
  for (const name of ["ioThreadsPolicy", "ioThreads", "launchSecurity"]) {
    if (instancetype[name]) domain[name] = instancetype[name];
  }
  if (instancetype.nodeSelector) spec.nodeSelector ??= instancetype.nodeSelector;
  if (instancetype.schedulerName) spec.schedulerName ??= instancetype.schedulerName;
  return errors;
}

/** A preference's field and the field of `spec.domain.devices` that it stands in for. */
const deviceFields: Record<string, string> = {
  preferredAutoattachGraphicsDevice: "autoattachGraphicsDevice",
  preferredAutoattachInputDevice: "autoattachInputDevice",
  preferredUseVirtioTransitional: "useVirtioTransitional",
  preferredAutoattachMemBalloon: "autoattachMemBalloon",
  preferredAutoattachPodInterface: "autoattachPodInterface",
  preferredAutoattachSerialConsole: "autoattachSerialConsole",
  preferredDisableHotplug: "disableHotplug",
  preferredBlockMultiQueue: "blockMultiQueue",
  preferredNetworkInterfaceMultiQueue: "networkInterfaceMultiqueue",
  preferredRng: "rng",
  preferredTPM: "tpm",
};

/** Also of the disks and networks that the machine has without naming them. */
function preferDevices(spec: any, prefer: any) {
  const { devices } = spec.domain;
  for (const [from, to] of Object.entries(deviceFields)) {
    if (prefer[from] !== undefined) devices[to] ??= prefer[from];
  }
  withOpenDevices(spec);
  for (const disk of devices.disks ?? []) {
    if (!disk.disk && !disk.cdrom && !disk.lun) disk.disk = {};
    if (disk.disk && prefer.preferredDiskBus) disk.disk.bus ??= prefer.preferredDiskBus;
    if (disk.cdrom && prefer.preferredCdromBus) disk.cdrom.bus ??= prefer.preferredCdromBus;
    if (disk.lun && prefer.preferredLunBus) disk.lun.bus ??= prefer.preferredLunBus;
    const { preferredDiskBlockSize: size, preferredDiskDedicatedIoThread: own } = prefer;
    if (size) disk.blockSize ??= size;
    if (own !== undefined && disk.disk?.bus === "virtio") disk.dedicatedIOThread ??= own;
    if (prefer.preferredDiskCache) disk.cache ??= prefer.preferredDiskCache;
    if (prefer.preferredDiskIO) disk.io ??= prefer.preferredDiskIO;
  }
  for (const one of devices.interfaces ?? []) {
    if (prefer.preferredInterfaceModel) one.model ??= prefer.preferredInterfaceModel;
  }
  for (const one of devices.inputs ?? []) {
    if (prefer.preferredInputBus) one.bus ??= prefer.preferredInputBus;
    if (prefer.preferredInputType) one.type ??= prefer.preferredInputType;
  }
}

function preferFirmware(domain: any, firmware: any) {
  const given = domain.firmware?.bootloader;
  if (given?.bios || given?.efi) return;
  const secure = firmware.preferredUseSecureBoot;
  const asked =
    firmware.preferredEfi ??
    (firmware.preferredUseEfi
      ? { ...(secure !== undefined && { secureBoot: secure }) }
      : undefined);
  const bios = firmware.preferredUseBios
    ? { useSerial: firmware.preferredUseBiosSerial }
    : undefined;
  if (!asked && !bios) return;
  domain.firmware = { ...domain.firmware, bootloader: asked ? { efi: asked } : { bios } };
}

function preferFeatures(domain: any, features: any) {
  const wanted = Object.entries(features)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => {
      const bare = name.replace(/^preferred/, "");
      return [
        bare === bare.toUpperCase() ? bare.toLowerCase() : bare[0]!.toLowerCase() + bare.slice(1),
        value,
      ];
    });
  domain.features = { ...Object.fromEntries(wanted), ...domain.features };
}

function prefer(spec: any, preference: any) {
  const { domain } = spec;
  preferDevices(spec, preference.devices ?? {});
  if (preference.firmware) preferFirmware(domain, preference.firmware);
  if (preference.features) preferFeatures(domain, preference.features);
  if (preference.machine?.preferredMachineType) {
    domain.machine = { type: preference.machine.preferredMachineType, ...domain.machine };
  }
  const { preferredClockOffset, preferredTimer } = preference.clock ?? {};
  if (preferredClockOffset || preferredTimer) {
    domain.clock = {
      ...preferredClockOffset,
      ...(preferredTimer && { timer: preferredTimer }),
      ...domain.clock,
    };
  }
  const cpuFeatures = preference.cpu?.preferredCPUFeatures;
  if (cpuFeatures) domain.cpu = { features: cpuFeatures, ...domain.cpu };
  if (preference.preferredArchitecture) spec.architecture ??= preference.preferredArchitecture;
  if (preference.preferredLaunchSecurity) {
    domain.launchSecurity ??= preference.preferredLaunchSecurity;
  }
  if (preference.preferredSubdomain) spec.subdomain ??= preference.preferredSubdomain;
  spec.terminationGracePeriodSeconds ??= preference.preferredTerminationGracePeriodSeconds;
  if (spec.terminationGracePeriodSeconds === undefined) delete spec.terminationGracePeriodSeconds;
}

function requirementErrors(
  { domain, architecture: given }: any,
  { requirements }: any,
): FieldError[] {
  const errors: FieldError[] = [];
  const { sockets = 1, cores = 1, threads = 1 } = domain.cpu ?? {};
  const cpus = sockets * cores * threads;
  const asked = requirements?.cpu?.guest;
  if (asked !== undefined && cpus < asked) {
    errors.push(invalidValue(`${at}.domain.cpu`, cpus, `the preference needs ${asked} CPUs`));
  }
  const architecture = requirements?.architecture;
  if (architecture && architecture !== (given ?? "amd64")) {
    const needs = `the preference needs ${architecture}`;
    errors.push(invalidValue(`${at}.architecture`, given ?? "amd64", needs));
  }
  const memory = requirements?.memory?.guest;
  const guest = domain.memory?.guest ?? domain.resources?.requests?.memory ?? "0";
  if (memory !== undefined && parseQuantity(guest) < parseQuantity(memory)) {
    errors.push(invalidValue(`${at}.domain.memory.guest`, guest, `the preference needs ${memory}`));
  }
  return errors;
}

export function expand(template: any, sizing: Sizing): Expanded {
  const spec = structuredClone(template);
  spec.domain.devices ??= {};
  const { instancetype, preference } = sizing;
  const errors = instancetype ? size(spec, sizing) : [];
  if (preference) {
    prefer(spec, preference);
    errors.push(...requirementErrors(spec, preference));
  }
  return {
    spec,
    annotations: { ...preference?.annotations, ...instancetype?.annotations },
    errors,
  };
}
