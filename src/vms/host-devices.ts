// Devices of the machine that a guest gets whole: granted to its pod as resources by a device plugin, which says in
// the container's environment which ones they are. Pure.
import { forbiddenValue, required } from "../kinds/field-checks.ts";
import type { FieldError } from "../lib/status-error.ts";

export interface HostDevice {
  name: string;
  /** Of the device plugin. */
  resource: string;
}

export interface GrantedDevice {
  name: string;
  kind: "pci" | "mediated" | "usb";
  /** An address, a UUID, or BUS:NUMBER. */
  at: string;
}

export const hostDevicesOf = ({ gpus = [], hostDevices = [] }: any): HostDevice[] =>
  [...gpus, ...hostDevices].map(({ name, deviceName }) => ({ name, resource: deviceName }));

/** How many of each, as a container asks for them. */
export function deviceLimits(devices: HostDevice[]): Record<string, string> {
  const counts: Record<string, string> = {};
  for (const { resource } of devices) counts[resource] = String(Number(counts[resource] ?? 0) + 1);
  return counts;
}

const variables = {
  pci: "PCI_RESOURCE",
  mediated: "MDEV_PCI_RESOURCE",
  usb: "USB_RESOURCE",
} as const;
const kinds = Object.keys(variables) as GrantedDevice["kind"][];

/** Each takes the next that its resource was granted; throws where there is none. */
export function grantedDevices(devices: HostDevice[], environment: string[]): GrantedDevice[] {
  const taken = new Map<string, number>();
  return devices.map(({ name, resource }) => {
    const suffix = resource.toUpperCase().replaceAll(/[/.]/g, "_");
    for (const kind of kinds) {
      const start = `${variables[kind]}_${suffix}=`;
      const said = environment.find((one) => one.startsWith(start))?.slice(start.length);
      const all =
        said
          ?.split(",")
          .map((one) => one.trim())
          .filter(Boolean) ?? [];
      const n = taken.get(start) ?? 0;
      if (!all[n]) continue;
      taken.set(start, n + 1);
      return { name, kind, at: all[n] };
    }
    throw new Error(`device ${name}: the plugin of ${resource} did not say which one it is`);
  });
}

/** Only what the KubeVirt object permits, by resource. */
export function deviceErrors(devices: any, path: string, permitted: Set<string>): FieldError[] {
  return ["gpus", "hostDevices"].flatMap((list) =>
    (devices?.[list] ?? []).flatMap((one: any, i: number): FieldError[] => {
      const at = `${path}.${list}[${i}]`;
      if (one.claimName || one.requestName) {
        return [forbiddenValue(`${at}.claimName`, "this is not supported by VMs of Kerb")];
      }
      if (!one.deviceName) return [required(`${at}.deviceName`)];
      if (permitted.has(one.deviceName)) return [];
      const why = `HostDevice ${one.deviceName} is not permitted in permittedHostDevices configuration`;
      return [forbiddenValue(`${at}.deviceName`, why)];
    }),
  );
}

/** Of KubeVirt's configuration. */
export function permittedDevices({ permittedHostDevices: permitted = {} }: any): Set<string> {
  const lists = ["pciHostDevices", "mediatedDevices", "usb"].flatMap(
    (list) => permitted[list] ?? [],
  );
  return new Set(lists.map(({ resourceName }) => resourceName));
}
