// From the devices that rules chose to what Akri says of them. Pure but for the devices it asks.
import type { Device, DeviceNode } from "../discovery/handler.ts";
import { pciPlace, placeVariable, usbPlace } from "../plugins/place.ts";
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
    // In this order all that is below a device follows it.
    const last = groups.at(-1);
    if (last && device.devpath.startsWith(last[0]!.devpath)) last.push(device);
    else groups.push([device]);
  }
  return groups;
}

export interface Wishes {
  permissions: string;
  /** Parts of one device are one, and numbered. */
  together: boolean;
  resource?: string;
  /** Nodes to add for a PCI device that can be passed through. */
  vfioNodes: (device: UdevDevice) => string[];
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
    const usb = usbPlace(devnode);
    if (resource === undefined || usb === undefined) continue;
    const name = placeVariable("USB", resource);
    properties[`${name}${suffix}`] = usb;
    // KubeVirt knows no numbers.
    properties[name] ??= usb;
  }
  const pci = pciPlace(top.devpath);
  if (pci !== undefined) {
    if (resource !== undefined) properties[placeVariable("PCI", resource)] = pci;
    for (const path of vfioNodes(top)) give(path, "rw");
  }
  return { id: top.devpath, properties, mounts: [], nodes };
}
