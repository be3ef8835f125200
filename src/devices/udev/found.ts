// From the devices that rules chose to what Akri says of them. Pure but for the devices it asks.
import type { Device, DeviceNode } from "../discovery/handler.ts";
import type { UdevDevice } from "./match.ts";

/** What has no node of its own is reached by its nearest parent that has one. */
export function reached(device: UdevDevice): UdevDevice {
  for (let one: UdevDevice | undefined = device; one; one = one.parent()) {
    if (one.devnode) return one;
  }
  return device;
}

/** Those below another are its parts; without grouping each stands alone. */
export function grouped(devices: UdevDevice[], together: boolean): UdevDevice[][] {
  const unique = new Map(devices.map((device) => [device.devpath, device]));
  const sorted = [...unique.values()].sort((a, b) => (a.devpath < b.devpath ? -1 : 1));
  if (!together) return sorted.map((device) => [device]);
  const groups: UdevDevice[][] = [];
  for (const device of sorted) {
    const group = groups.find(([top]) => device.devpath.startsWith(top!.devpath));
    if (group) group.push(device);
    else groups.push([device]);
  }
  return groups;
}

const usbNode = /\/bus\/usb\/0*(\d+)\/0*(\d+)$/;
const pciAddress = /[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]/g;

/** The variables by which KubeVirt finds a device to pass through. */
const variable = (kind: "USB" | "PCI", resource: string) =>
  `${kind}_RESOURCE_${resource.toUpperCase().replaceAll(/[./]/g, "_")}`;

/** Empty for what hangs on USB: the PCI device above it is the controller of others too. */
function pciOf(devpath: string): string | undefined {
  if (devpath.split("/").some((part) => part.startsWith("usb"))) return undefined;
  return devpath.match(pciAddress)?.at(-1);
}

export interface Wishes {
  permissions: string;
  /** Parts of one device are one, and numbered. */
  together: boolean;
  resource?: string;
  /** Nodes to add for a PCI device that is passed through. */
  vfioNodes?: (device: UdevDevice) => string[];
}

export function deviceOf(
  group: UdevDevice[],
  { permissions, together, resource, vfioNodes }: Wishes,
): Device {
  const [top] = group as [UdevDevice];
  const properties: Record<string, string> = { UDEV_DEVPATH: top.devpath };
  const nodes: DeviceNode[] = [];
  const give = (path: string, letters: string) =>
    nodes.push({ containerPath: path, hostPath: path, permissions: letters });
  for (const [i, { devnode }] of group.entries()) {
    if (!devnode) continue;
    const suffix = together ? `_${i}` : "";
    properties[`UDEV_DEVNODE${suffix}`] = devnode;
    give(devnode, permissions);
    const usb = usbNode.exec(devnode);
    if (resource === undefined || !usb) continue;
    const name = variable("USB", resource);
    properties[`${name}${suffix}`] = `${usb[1]}:${usb[2]}`;
    // KubeVirt knows no numbers.
    properties[name] ??= `${usb[1]}:${usb[2]}`;
  }
  const pci = pciOf(top.devpath);
  if (resource !== undefined && pci !== undefined) {
    properties[variable("PCI", resource)] = pci;
    for (const path of vfioNodes?.(top) ?? []) give(path, "rw");
  }
  return { id: top.devpath, properties, mounts: [], nodes };
}
