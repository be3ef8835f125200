// Words of a VMI's spec that are one of a few, and which of them are not done. Pure.
import { forbiddenValue, invalidValue, supported } from "../../kinds/field-checks.ts";
import { dnsLabel } from "../../kinds/name-rules.ts";
import { isCidr } from "../../lib/ip-range.ts";
import type { FieldError } from "../../lib/status-error.ts";

const no = "this is not supported by VMs of Kerb";

/** Fields by their path, and what they may say; a list's entries are each looked at. */
const words: Record<string, readonly unknown[]> = {
  "domain.cpu.features[].policy": ["force", "require", "optional", "disable", "forbid"],
  "domain.clock.timer.hpet.tickPolicy": ["delay"],
  "domain.clock.timer.hyperv.present": [false],
  "domain.clock.timer.pit.tickPolicy": ["delay"],
  "domain.clock.timer.rtc.present": [true],
  "domain.clock.timer.rtc.tickPolicy": ["delay", "catchup"],
  "domain.clock.timer.rtc.track": ["guest", "wall"],
  "domain.devices.disks[].blockSize.matchVolume.enabled": [false],
  "domain.devices.disks[].cache": ["none", "writethrough", "writeback"],
  "domain.devices.disks[].cdrom.bus": ["sata", "scsi", "usb"],
  "domain.devices.disks[].cdrom.readonly": [true],
  "domain.devices.disks[].cdrom.tray": ["closed"],
  "domain.devices.disks[].changedBlockTracking": [false],
  "domain.devices.disks[].disk.bus": ["virtio", "sata", "scsi", "usb"],
  "domain.devices.disks[].errorPolicy": ["stop", "ignore", "report", "enospace"],
  "domain.devices.disks[].io": ["native", "threads", "default"],
  "domain.devices.disks[].lun.bus": ["scsi"],
  "domain.devices.disks[].lun.reservation": [false],
  "domain.devices.gpus[].virtualGPUOptions.display.enabled": [false],
  "domain.devices.gpus[].virtualGPUOptions.display.ramFB.enabled": [false],
  "domain.devices.inputs[].bus": ["virtio", "usb"],
  "domain.devices.inputs[].type": ["tablet", "keyboard"],
  "domain.devices.interfaces[].state": ["up", "down", "absent"],
  "domain.devices.watchdog.i6300esb.action": ["poweroff", "reset", "shutdown"],
  "domain.features.apic.enabled": [true],
  "domain.ioThreadsPolicy": ["shared", "auto"],
  "domain.memory.reservedOverhead.memLock": ["NotRequired"],
  "domain.rebootPolicy": ["Reboot", "Terminate"],
};

/** Fields by their path that are not done, whatever they say. */
const undone = [
  "domain.devices.disks[].disk.pciAddress",
  "domain.devices.disks[].tag",
  "domain.devices.gpus[].tag",
  "domain.devices.hostDevices[].tag",
  ...["acpiIndex", "macvtap", "passt", "passtBinding", "pciAddress", "portRanges", "tag"].map(
    (name) => `domain.devices.interfaces[].${name}`,
  ),
  "domain.devices.watchdog.diag288",
  "domain.ioThreads",
  "networks[].pod.vmIPv6NetworkCIDR",
  "networks[].resourceClaim",
  "utilityVolumes",
];

interface Found {
  path: string;
  value: any;
}

/** What a path leads to, each with the place where it was found. */
function found(spec: any, path: string, at: string): Found[] {
  return path.split(".").reduce<Found[]>(
    (places, step) => {
      const name = step.replace("[]", "");
      return places.flatMap(({ path: where, value }) => {
        const next = value?.[name];
        if (next === undefined || next === null) return [];
        if (!step.endsWith("[]")) return [{ path: `${where}.${name}`, value: next }];
        return (next as any[]).map((one, i) => ({ path: `${where}.${name}[${i}]`, value: one }));
      });
    },
    [{ path: at, value: spec }],
  );
}

const isSaid = ({ value }: Found) =>
  value !== false && value !== "" && !(Array.isArray(value) && value.length === 0);

const uuid = /^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/i;
const serial = /^[A-Za-z0-9_.+-]{1,256}$/;

type Rule = (value: any) => string | undefined;

const zone: Rule = (timeZone) => {
  try {
    new Intl.DateTimeFormat("en", { timeZone });
    return undefined;
  } catch {
    return "not the name of a time zone";
  }
};

const powerOfTwo: Rule = (size) =>
  size >= 512 && size <= 2 ** 21 && Number.isInteger(Math.log2(size))
    ? undefined
    : "must be a power of 2 from 512 to 2097152";

const rules: Record<string, Rule> = {
  hostname: (name) => dnsLabel(name)[0],
  subdomain: (name) => dnsLabel(name)[0],
  "domain.clock.timezone": zone,
  "domain.devices.disks[].blockSize.custom.logical": powerOfTwo,
  "domain.devices.disks[].blockSize.custom.physical": powerOfTwo,
  "domain.devices.interfaces[].dhcpOptions.privateOptions[].option": (option) =>
    option >= 224 && option <= 254 ? undefined : "must be from 224 to 254",
  "domain.firmware.serial": (text) => (serial.test(text) ? undefined : "not a serial number"),
  "domain.firmware.uuid": (text) => (uuid.test(text) ? undefined : "not a UUID"),
  "networks[].pod.vmNetworkCIDR": (text) =>
    isCidr(text) && !text.includes(":") && Number(text.split("/")[1]) <= 30
      ? undefined
      : "must be an IPv4 network with room for two addresses",
};

/** `at` is where the spec lies in the object. */
export function wordErrors(spec: any, at: string): FieldError[] {
  const each = <T>(table: Record<string, T>, judge: (one: Found, entry: T) => FieldError[]) =>
    Object.entries(table).flatMap(([path, entry]) =>
      found(spec, path, at).flatMap((one) => judge(one, entry)),
    );
  return [
    ...each(words, ({ path, value }, list) => supported(path, value, list as string[])),
    ...each(rules, ({ path, value }, rule) => {
      const why = rule(value);
      return why ? [invalidValue(path, value, why)] : [];
    }),
    ...undone
      .flatMap((path) => found(spec, path, at).filter(isSaid))
      .map(({ path }) => forbiddenValue(path, no)),
  ];
}
