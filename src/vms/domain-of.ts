// From a VirtualMachineInstance to the Domain that QEMU runs. Pure; what it cannot say is refused before
// (unsupported.ts).
import { createHash } from "node:crypto";
import type { KubeObject } from "../kinds/object.ts";
import { parseQuantity } from "../lib/quantity.ts";
import { credentialsOf } from "./credentials/credentials-of.ts";
import { diskOf } from "./disk-of.ts";
import type {
  Domain,
  DomainChassis,
  DomainCpu,
  DomainFirmware,
  DomainInterface,
  DomainTimers,
} from "./domain.ts";
import { hostDevicesOf } from "./host-devices.ts";
import { wantsContextId } from "./instance/context-ids.ts";
import { ioThreadsOf } from "./io-threads.ts";
import { hasState, stateClaimName } from "./state-claim.ts";
import { isOn } from "./unsupported.ts";

export interface DomainContext {
  /** Claims (and DataVolumes, by their claim) whose volumeMode is Block. */
  isBlock: (claim: string) => boolean;
  /** Claims that are there on every node (ReadWriteMany); default: none. */
  isShared?: (claim: string) => boolean;
  /** Claims whose volume has copies on several nodes; default: none. */
  isReplicated?: (claim: string) => boolean;
  /** What a claim asks for; an empty one gets a disk of this size. */
  bytesOf?: (claim: string) => number | undefined;
  /** Of a live migration's target. */
  incoming?: boolean;
  /** Of a live migration's source: what others know the guest by. */
  address?: string;
}

const digest = (text: string) => createHash("sha256").update(text).digest();

/** A MAC of the VM's own, the same at every start. */
export function macOf({ namespace = "", name }: KubeObject["metadata"], network: string): string {
  const bytes = [2, ...digest(`${namespace}/${name}/${network}`).subarray(0, 5)];
  return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join(":");
}

/** As a UUID of version 5 looks; from the name, so that guests keep their identity. */
function uuidOf({ namespace = "", name }: KubeObject["metadata"]): string {
  const bytes = digest(`${namespace}/${name}`).subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x50;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return bytes.toString("hex").replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

/** Cores as Kubernetes' resources say them, when the domain does not. */
function cpuOf(domain: any): DomainCpu {
  const { sockets, cores, threads, model = "host-model", features = [] } = domain.cpu ?? {};
  const asked = domain.resources?.requests?.cpu ?? domain.resources?.limits?.cpu;
  const given = sockets !== undefined || cores !== undefined || threads !== undefined;
  const fallback = asked && !given ? Math.max(1, Math.ceil(parseQuantity(asked))) : 1;
  return {
    sockets: sockets ?? fallback,
    cores: cores ?? 1,
    threads: threads ?? 1,
    model,
    features: features.map((one: any) => ({ name: one.name, policy: one.policy ?? "require" })),
    ...(domain.features?.kvm?.hidden && { hidesKvm: true as const }),
    ...(domain.features?.apic?.endOfInterrupt && { endOfInterrupt: true as const }),
  };
}

const memoryDefault = "512Mi";

function memoryOf({ memory, resources }: any): number {
  const { requests, limits } = resources ?? {};
  return parseQuantity(memory?.guest ?? requests?.memory ?? limits?.memory ?? memoryDefault);
}

/** Whether only signed code is to boot; true unless somebody says otherwise. */
export const isSecure = ({ firmware, features }: any): boolean =>
  firmware?.bootloader?.efi?.secureBoot ?? isOn(features?.smm) ?? true;

function firmwareOf({ firmware, features }: any, metadata: KubeObject["metadata"]): DomainFirmware {
  const { uuid, serial, bootloader, kernelBoot } = firmware ?? {};
  const { container, kernelArgs } = kernelBoot ?? {};
  const efi = bootloader?.efi;
  return {
    uuid: uuid ?? uuidOf(metadata),
    ...(serial && { serial }),
    ...(efi && {
      efi: {
        secureBoot: isSecure({ firmware, features }),
        persistent: efi.persistent ?? false,
      },
    }),
    ...(container && {
      kernel: {
        args: kernelArgs ?? "",
        ...(container.kernelPath && { kernelPath: container.kernelPath }),
        ...(container.initrdPath && { initrdPath: container.initrdPath }),
      },
    }),
    useSerial: bootloader?.bios?.useSerial ?? false,
  };
}

const guestCidr = "10.0.2.0/24";

function bindingOf(one: any): DomainInterface["binding"] {
  if (one.bridge) return "bridge";
  return one.slirp || one.binding?.name === "user" ? "user" : "masquerade";
}

function interfaceOf(one: any, network: any, metadata: KubeObject["metadata"]): DomainInterface {
  const { name, model = "virtio", macAddress, ports = [], bootOrder, dhcpOptions, state } = one;
  const { bootFileName, tftpServerName, ntpServers, privateOptions } = dhcpOptions ?? {};
  return {
    name,
    binding: bindingOf(one),
    model,
    mac: macAddress?.toLowerCase() ?? macOf(metadata, name),
    cidr: network?.pod?.vmNetworkCIDR ?? guestCidr,
    ports: ports.map((port: any) => ({ ...port, protocol: port.protocol ?? "TCP" })),
    ...(bootOrder && { bootOrder }),
    dhcp: {
      ...(bootFileName && { bootFileName }),
      ...(tftpServerName && { tftpServerName }),
      ...(ntpServers && { ntpServers }),
      ...(privateOptions && {
        options: privateOptions.map(({ option, value }: any) => [option, value ?? ""]),
      }),
    },
    linkUp: state !== "down",
  };
}

/** The interfaces that are there: those named, else one in the pod's network. */
function interfacesOf(spec: any, metadata: KubeObject["metadata"]): DomainInterface[] {
  const { interfaces, autoattachPodInterface = true } = spec.domain.devices ?? {};
  const networks: any[] = spec.networks ?? [];
  const named: any[] = (interfaces ?? []).filter((one: any) => one.state !== "absent");
  const networkOf = (name: string) => networks.find((one) => one.name === name);
  if (named.length > 0) {
    return named.map((one) => interfaceOf(one, networkOf(one.name), metadata));
  }
  if (!autoattachPodInterface || interfaces?.length) return [];
  return [interfaceOf({ name: "default" }, { pod: {} }, metadata)];
}

/** Volumes without a disk get one, unless a file system shares them. */
function disksOf(spec: any, context: DomainContext) {
  const { disks = [], filesystems = [] } = spec.domain.devices ?? {};
  const volumes: any[] = spec.volumes ?? [];
  const has = (list: any[], name: string) => list.some((one) => one.name === name);
  const { sockets, cores, threads } = cpuOf(spec.domain);
  const ioThreads = ioThreadsOf(spec.domain, sockets * cores * threads);
  const bare = volumes.filter(({ name }) => !has(disks, name) && !has(filesystems, name));
  return [...disks, ...bare.map(({ name }) => ({ name }))].flatMap((disk) => {
    const volume = volumes.find(({ name }) => name === disk.name);
    if (!volume) return [];
    const made = diskOf(disk, volume, context);
    // QEMU puts no layer for a further copy above a disk that another thread serves.
    const isReplicated = "replicated" in made.source;
    const ioThread = isReplicated ? undefined : ioThreads.get(disk.name);
    return [{ ...made, ...(ioThread && { ioThread }) }];
  });
}

function clockOffset({ clock }: any): number {
  return clock?.utc?.offsetSeconds ?? 0;
}

function timersOf({ clock }: any): Pick<Domain, "timers"> {
  const { hpet, pit, kvm, rtc } = clock?.timer ?? {};
  const timers: DomainTimers = {
    ...(hpet?.present === false && { hpet: false }),
    ...(pit?.present === false && { pit: false }),
    ...(kvm?.present === false && { kvmClock: false }),
    ...(rtc?.tickPolicy === "catchup" && { rtcCatchUp: true }),
    ...(rtc?.track === "guest" && { rtcOfGuest: true }),
  };
  return Object.keys(timers).length > 0 ? { timers } : {};
}

function chassisOf({ chassis = {} }: any): Pick<Domain, "chassis"> {
  const said = Object.entries(chassis).filter(([, value]) => value);
  return said.length > 0 ? { chassis: Object.fromEntries(said) as DomainChassis } : {};
}

function watchdogOf({ watchdog }: any): Pick<Domain, "watchdog"> {
  const model = watchdog?.i6300esb;
  return watchdog ? { watchdog: { action: model?.action ?? "reset" } } : {};
}

function machineOf({ machine }: any): Domain["machine"] {
  const { type = "q35" } = machine ?? {};
  if (/^(pc|pc-i440fx.*)$/.test(type)) return "pc";
  return type === "microvm" ? "microvm" : "q35";
}

function devicesOf(devices: any) {
  const { tpm, inputs = [], filesystems = [] } = devices;
  return {
    graphics: devices.autoattachGraphicsDevice ?? true,
    serialConsole: devices.autoattachSerialConsole ?? true,
    ...(devices.logSerialConsole === false && { consoleUnlogged: true as const }),
    ...(devices.blockMultiQueue && { blockQueues: true as const }),
    ...(devices.networkInterfaceMultiqueue && { networkQueues: true as const }),
    ...(devices.useVirtioTransitional && { transitional: true as const }),
    ...(devices.disableHotplug && { fixed: true as const }),
    balloon: devices.autoattachMemBalloon ?? true,
    rng: devices.rng !== undefined,
    ...(tpm && isOn(tpm) && { tpm: { persistent: tpm.persistent ?? false } }),
    ...watchdogOf(devices),
    ...(devices.clientPassthrough && { usbSlots: true as const }),
    inputs: inputs.map(({ name, type, bus }: any) => ({ name, type, bus: bus ?? "usb" })),
    filesystems: filesystems.map(({ name }: any) => name),
  };
}

function stateOf(vmi: Pick<KubeObject, "metadata" | "spec">, { isShared }: DomainContext) {
  if (!hasState(vmi.spec.domain)) return {};
  return { state: { shared: isShared?.(stateClaimName(vmi)) ?? false } };
}

export function domainOf({ metadata, spec, status }: KubeObject, context: DomainContext): Domain {
  const { domain } = spec;
  const offset = clockOffset(domain);
  const { hugepages } = domain.memory ?? {};
  const passed = hostDevicesOf(domain.devices ?? {});
  const credentials = credentialsOf(spec);
  const reserved = domain.memory?.reservedOverhead?.addedOverhead;
  return {
    namespace: metadata.namespace ?? "",
    name: metadata.name,
    uid: metadata.uid,
    hostname: spec.hostname ?? metadata.name,
    machine: machineOf(domain),
    acpi: isOn(domain.features?.acpi) ?? true,
    ...(isOn(domain.features?.smm) && { smm: true as const }),
    ...chassisOf(domain),
    ...timersOf(domain),
    cpu: cpuOf(domain),
    memoryBytes: memoryOf(domain),
    ...(hugepages && { hugePageBytes: parseQuantity(hugepages.pageSize) }),
    ...(domain.cpu?.dedicatedCpuPlacement && { dedicatedCpus: true as const }),
    ...(passed.length > 0 && { hostDevices: passed }),
    firmware: firmwareOf(domain, metadata),
    disks: disksOf(spec, context),
    interfaces: interfacesOf(spec, metadata),
    ...(credentials.length > 0 && { credentials }),
    ...devicesOf(domain.devices ?? {}),
    ...(wantsContextId({ spec }) && { vsock: status?.VSOCKCID }),
    ...stateOf({ metadata, spec }, context),
    clockOffsetSeconds: offset,
    ...(domain.clock?.timezone && { timeZone: domain.clock.timezone }),
    ...(reserved && { reservedBytes: parseQuantity(reserved) }),
    endOnReboot: domain.rebootPolicy === "Terminate",
    startPaused: spec.startStrategy === "Paused",
    graceSeconds: spec.terminationGracePeriodSeconds ?? 30,
    ...(context.incoming && { incoming: true }),
    ...(context.address && { address: context.address }),
  };
}

const mebibyte = 2 ** 20;

/** What QEMU needs beside the guest's memory, at most, as measured; counted in the pod's request. */
export function overheadBytes(domain: Domain): number {
  const { cpu, graphics, memoryBytes, hostDevices = [], reservedBytes = 0 } = domain;
  const cpus = cpu.sockets * cpu.cores * cpu.threads;
  const tables = memoryBytes / 512;
  // Devices reach the guest's memory, and theirs is reached by it.
  const devices = hostDevices.length > 0 ? 1024 * mebibyte : 0;
  const screen = graphics ? 16 * mebibyte : 0;
  return Math.ceil(56 * mebibyte + cpus * 4 * mebibyte + screen + tables + devices) + reservedBytes;
}
