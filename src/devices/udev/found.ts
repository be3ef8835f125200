// From the devices that rules chose to what Akri says of them. Pure but for the devices it asks.
import type { Device, DeviceNode } from "../handler.ts";
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
function passthrough({ devnode = "", devpath }: UdevDevice, resource: string) {
  const name = resource.toUpperCase().replaceAll(/[./]/g, "_");
  const usb = usbNode.exec(devnode);
  if (usb) return { [`USB_RESOURCE_${name}`]: `${usb[1]}:${usb[2]}` };
  const pci = devpath.match(pciAddress)?.at(-1);
  return pci === undefined ? {} : { [`PCI_RESOURCE_${name}`]: pci };
}

export interface Wishes {
  permissions: string;
  resource?: string;
  /** Nodes to add for a device that is passed through. */
  vfioNodes?: (device: UdevDevice) => string[];
}

export function deviceOf(
  group: UdevDevice[],
  { permissions, resource, vfioNodes }: Wishes,
): Device {
  const properties: Record<string, string> = {};
  const nodes = new Map<string, DeviceNode>();
  const give = (path: string) =>
    nodes.set(path, { containerPath: path, hostPath: path, permissions });
  for (const [i, device] of group.entries()) {
    const suffix = group.length > 1 ? `_${i}` : "";
    properties[`UDEV_DEVPATH${suffix}`] = device.devpath;
    if (device.devnode) {
      properties[`UDEV_DEVNODE${suffix}`] = device.devnode;
      give(device.devnode);
    }
    if (resource !== undefined) Object.assign(properties, passthrough(device, resource));
    for (const path of vfioNodes?.(device) ?? []) give(path);
  }
  return { id: group[0]!.devpath, properties, mounts: [], nodes: [...nodes.values()] };
}
