// QEMU's command line, from a Domain and what was prepared for it. Pure: everything that a user named is in a
// JSON value or a word of its own, so that no comma makes an option.
import type { Domain } from "../domain.ts";
import { deviceArguments, json, monitors, vcpus, virtio } from "./device-arguments.ts";
import { blockdev, diskDeviceOf } from "./disk-arguments.ts";
import type { Launch, PreparedDisk } from "./launch.ts";

/** Of the translation cache, which is most of what emulation costs in memory. */
const translationMebibytes = 16;

const escaped = (text: string) => text.replaceAll(",", ",,");

function cpuModel({ cpu, timers }: Domain, accelerator: Launch["accelerator"]): string {
  const isBest = cpu.model === "host-model" || cpu.model === "host-passthrough";
  const best = accelerator === "kvm" ? "host" : "max";
  const features = cpu.features.map(({ name, policy }) => {
    const isOff = policy === "disable" || policy === "forbid";
    return `,${name}=${isOff ? "off" : "on"}`;
  });
  // Otherwise QEMU leaves out what it cannot do; whole models have more than was asked for by name.
  const policies = new Set(cpu.features.map(({ policy }) => policy));
  if (isBest && policies.has("require") && !policies.has("force")) features.push(",enforce");
  if (cpu.hidesKvm) features.push(",kvm=off");
  if (cpu.endOfInterrupt) features.push(",kvm-pv-eoi=on");
  if (timers?.kvmClock === false) features.push(",kvmclock=off");
  return `${isBest ? best : cpu.model}${features.join("")}`;
}

function machine(domain: Domain, { accelerator, efi }: Launch): string[] {
  const isSecure = efi && domain.firmware.efi?.secureBoot;
  const smm = isSecure || domain.smm ? "on" : "off";
  const { hpet, pit } = domain.timers ?? {};
  const timers = `${hpet === false ? ",hpet=off" : ""}${pit === false ? ",pit=off" : ""}`;
  const options: Record<Domain["machine"], string> = {
    q35: `q35,smm=${smm},vmport=off${timers}`,
    pc: `pc,vmport=off${domain.smm ? ",smm=on" : ""}${timers}`,
    microvm: `microvm,acpi=on,pit=${pit === false ? "off" : "on"},pic=on,rtc=on,isa-serial=on,auto-kernel-cmdline=on`,
  };
  const noAcpi = domain.acpi || domain.machine === "microvm" ? "" : ",acpi=off";
  return [
    "-machine",
    options[domain.machine] + noAcpi + (domain.machine === "microvm" ? "" : ",usb=off"),
    "-accel",
    accelerator === "kvm" ? "kvm" : `tcg,tb-size=${translationMebibytes}`,
    ...(isSecure ? ["-global", "driver=cfi.pflash01,property=secure,value=on"] : []),
  ];
}

/** As ISO 8601 writes it, which the Swedes do. */
const localTime = (now: number, timeZone: string) =>
  new Date(now).toLocaleString("sv-SE", { timeZone }).replace(" ", "T");

function clock({ clockOffsetSeconds, timeZone, timers = {} }: Domain, now: number): string[] {
  const isUtc = clockOffsetSeconds === 0 && timeZone === undefined;
  const at = timeZone
    ? localTime(now, timeZone)
    : new Date(now + clockOffsetSeconds * 1000).toISOString().slice(0, 19);
  const more = `${timers.rtcOfGuest ? ",clock=vm" : ""}${timers.rtcCatchUp ? ",driftfix=slew" : ""}`;
  return ["-rtc", `base=${isUtc ? "utc" : at}${more}`];
}

function identity({ namespace, name, firmware, chassis = {} }: Domain): string[] {
  const case_ = Object.entries(chassis).map(([key, value]) => `${key}=${escaped(value)}`);
  const serial = firmware.serial ? `,serial=${escaped(firmware.serial)}` : "";
  return [
    "-name",
    `guest=${escaped(`${namespace}_${name}`)}`,
    "-uuid",
    firmware.uuid,
    "-smbios",
    `type=1,manufacturer=KubeVirt,product=None,uuid=${firmware.uuid}${serial},family=KubeVirt`,
    ...(case_.length > 0 ? ["-smbios", ["type=3", ...case_].join(",")] : []),
  ];
}

function firmware({ firmware: { kernel: asked } }: Domain, { kernel, efi }: Launch): string[] {
  const flash = (id: string, filename: string, readOnly: boolean) =>
    json("blockdev", {
      driver: "raw",
      "node-name": id,
      "read-only": readOnly,
      file: { driver: "file", filename, "read-only": readOnly },
    });
  return [
    ...(efi
      ? [
          ...flash("efi-code", efi.code, true),
          ...flash("efi-variables", efi.variables, false),
          "-machine",
          "pflash0=efi-code,pflash1=efi-variables",
        ]
      : []),
    ...(kernel?.path ? ["-kernel", kernel.path, "-append", asked?.args ?? ""] : []),
    ...(kernel?.initrd ? ["-initrd", kernel.initrd] : []),
  ];
}

/** Boot indexes as asked for; where nobody asks, disks in their order. */
function bootIndexes({ disks, interfaces }: Domain) {
  const isAsked = [...disks, ...interfaces].some(({ bootOrder }) => bootOrder !== undefined);
  return (i: number) => (isAsked ? disks[i]?.bootOrder : i + 1);
}

function disksOf(domain: Domain, disks: PreparedDisk[]): string[] {
  const isMmio = domain.machine === "microvm";
  const bootIndex = bootIndexes(domain);
  const on = (bus: string) => disks.filter(({ disk }) => disk.bus === bus);
  const sata = on("sata");
  const words = disks.flatMap((prepared, i) => {
    const { disk } = prepared;
    const buses = {
      virtio: undefined,
      sata: `sata${Math.floor(sata.indexOf(prepared) / 6)}.${sata.indexOf(prepared) % 6}`,
      scsi: "scsi0.0",
      usb: "usb.0",
    };
    const bus = buses[disk.bus];
    const index = bootIndex(i);
    const place = {
      ...{ isMmio, isTransitional: domain.transitional ?? false },
      ...(bus && { bus }),
      ...(index && { bootIndex: index }),
      ...(domain.blockQueues && { queues: vcpus(domain) }),
    };
    // A copy of what the guest still writes elsewhere.
    const isShared = domain.incoming && disk.source.kind === "file" && disk.source.replicated;
    const node = blockdev(prepared, { isShared: isShared ?? false });
    return [...json("blockdev", node), ...json("device", diskDeviceOf(disk, place))];
  });
  const controllers = Array.from({ length: Math.ceil(sata.length / 6) }, (_, i) =>
    json("device", { driver: "ich9-ahci", id: `sata${i}` }),
  ).flat();
  const scsi = isMmio ? [] : json("device", { driver: virtio(domain, "virtio-scsi"), id: "scsi0" });
  const threads = new Set(domain.disks.flatMap(({ ioThread }) => ioThread ?? []));
  const objects = [...threads].flatMap((id) => json("object", { "qom-type": "iothread", id }));
  return [...objects, ...controllers, ...scsi, ...words];
}

/**
 * QEMU before 9.0 loses what an emulated guest writes while it moves, where its memory is a multiple of 64 pages: it
 * forgets to look for writes again in those that it has sent. Of any other size it looks page by page, and does not.
 */
const unevenBytes = 2 ** 16;

function memoryBytes({ memoryBytes: asked, hugePageBytes }: Domain, accelerator: string): number {
  const whole = Math.max(1, Math.floor(asked / 2 ** 20)) * 2 ** 20;
  return accelerator === "tcg" && !hugePageBytes ? whole + unevenBytes : whole;
}

/** Who shares files with the guest writes into its memory. */
function memory(domain: Domain, { accelerator }: Launch): string[] {
  const { filesystems, hugePageBytes, dedicatedCpus } = domain;
  const size = memoryBytes(domain, accelerator);
  const words = ["-m", `${size / 2 ** 10}K`];
  const share = filesystems.length > 0;
  if (!share && !hugePageBytes) return words;
  const backend = {
    ...{ "qom-type": "memory-backend-memfd", id: "memory", size, share },
    ...(hugePageBytes && { hugetlb: true, hugetlbsize: hugePageBytes }),
    ...((hugePageBytes ?? dedicatedCpus) && { prealloc: true }),
  };
  return [...words, ...json("object", backend), "-machine", "memory-backend=memory"];
}

/** It is let run once it is known to which copies it writes. */
const isReplicated = ({ disks }: Domain) =>
  disks.some(({ source }) => source.kind === "file" && source.replicated);

export interface ArgumentOptions {
  /** Milliseconds since 1970. */
  now: number;
}

export function qemuArguments(domain: Domain, launch: Launch, { now }: ArgumentOptions): string[] {
  const { sockets, cores, threads } = domain.cpu;
  const topology = `sockets=${sockets},cores=${cores},threads=${threads}`;
  return [
    ...["-nodefaults", "-no-user-config", "-display", "none", "-msg", "timestamp=on"],
    ...["-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"],
    ...identity(domain),
    ...machine(domain, launch),
    ...["-cpu", cpuModel(domain, launch.accelerator)],
    ...["-smp", `${vcpus(domain)},${topology}`],
    ...memory(domain, launch),
    ...clock(domain, now),
    ...["-boot", "strict=on"],
    ...(domain.endOnReboot ? ["-action", "reboot=shutdown"] : []),
    ...(domain.startPaused || isReplicated(domain) ? ["-S"] : []),
    ...(domain.incoming ? ["-incoming", "defer"] : []),
    ...monitors(launch.run),
    ...firmware(domain, launch),
    ...deviceArguments(domain, launch),
    ...disksOf(domain, launch.disks),
  ];
}
