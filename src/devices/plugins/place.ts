// Where on the machine a device lies, as whoever passes it through to a guest must know. Pure.

export interface Place {
  bus: "USB" | "PCI";
  /** Bus and number, or an address. */
  at: string;
}

const usbNode = /\/bus\/usb\/0*(\d+)\/0*(\d+)$/;
const pciAddress = /[0-9a-f]{4}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]/g;

/** Of a node in /dev. */
export function usbPlace(node: string): string | undefined {
  const [, bus, number] = usbNode.exec(node) ?? [];
  return bus === undefined ? undefined : `${bus}:${number}`;
}

/** Undefined for what hangs on USB: the PCI device above it is the controller of others too. */
export function pciPlace(devpath: string): string | undefined {
  if (devpath.split("/").some((part) => part.startsWith("usb"))) return undefined;
  return devpath.match(pciAddress)?.at(-1);
}

/** From what its handler tells of a device. A part of a card is not the card. */
export function placeOf(properties: Record<string, string>): Place | undefined {
  const { UDEV_DEVNODE, UDEV_DEVNODE_0, UDEV_DEVPATH = "", GPU_PCI_ADDRESS } = properties;
  const usb = usbPlace(UDEV_DEVNODE ?? UDEV_DEVNODE_0 ?? "");
  if (usb !== undefined) return { bus: "USB", at: usb };
  const card = properties["GPU_MIG_PROFILE"] === undefined ? GPU_PCI_ADDRESS : undefined;
  const pci = card ?? pciPlace(UDEV_DEVPATH);
  return pci === undefined ? undefined : { bus: "PCI", at: pci };
}

/** The variable by which KubeVirt finds the devices of a resource. */
export const placeVariable = (bus: Place["bus"], resource: string) =>
  `${bus}_RESOURCE_${resource.toUpperCase().replaceAll(/[./]/g, "_")}`;

/** The attributes by which claims' devices are passed through. */
export function placeAttributes(place: Place | undefined): Record<string, object> {
  if (!place) return {};
  if (place.bus === "PCI") return { "resource.kubernetes.io/pciBusID": { string: place.at } };
  const [bus, number] = place.at.split(":").map(Number);
  return { usbBus: { int: bus }, usbDevice: { int: number } };
}
