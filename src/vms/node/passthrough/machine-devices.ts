// What of a machine a guest could get whole, as the kernel shows it in sysfs.
import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import { basename, join } from "node:path";

export interface PciDevice {
  address: string;
  /** VENDOR:PRODUCT, in small hexadecimal digits, as that of USB. */
  id: string;
  driver?: string;
  /** Devices of one group can reach each other's memory; absent without an IOMMU. */
  group?: string;
  /** Leads to others and is nobody's. */
  isBridge: boolean;
}

export interface UsbDevice {
  id: string;
  bus: number;
  number: number;
}

export interface MediatedDevice {
  uuid: string;
  /** What people call its type. */
  type: string;
  group?: string;
}

export interface MachineDevices {
  pci: PciDevice[];
  usb: UsbDevice[];
  mediated: MediatedDevice[];
}

const bridgeClass = "0x06";

const namesIn = (folder: string): string[] => {
  try {
    return readdirSync(folder).sort();
  } catch {
    return [];
  }
};

/** Empty where there is none: a device may go while it is looked at. */
const textOf = (...path: string[]): string => {
  try {
    return readFileSync(join(...path), "utf8").trim();
  } catch {
    return "";
  }
};

const linkOf = (...path: string[]): string | undefined => {
  try {
    return basename(readlinkSync(join(...path)));
  } catch {
    return undefined;
  }
};

const grouped = (folder: string) => {
  const group = linkOf(folder, "iommu_group");
  return group === undefined ? {} : { group };
};

function pciDevice(folder: string): PciDevice {
  const digits = (file: string) => textOf(folder, file).replace(/^0x/, "");
  const driver = linkOf(folder, "driver");
  return {
    address: basename(folder),
    id: `${digits("vendor")}:${digits("device")}`,
    ...(driver !== undefined && { driver }),
    ...grouped(folder),
    isBridge: textOf(folder, "class").startsWith(bridgeClass),
  };
}

/** Hubs of the machine's own controllers are not to be had. */
const isRootHub = (name: string) => name.startsWith("usb");

function usbDevices(folder: string): UsbDevice[] {
  const names = namesIn(folder).filter((name) => !isRootHub(name) && !name.includes(":"));
  return names
    .map((name) => ({
      id: `${textOf(folder, name, "idVendor")}:${textOf(folder, name, "idProduct")}`,
      bus: Number(textOf(folder, name, "busnum")),
      number: Number(textOf(folder, name, "devnum")),
    }))
    .filter(({ bus, number }) => bus > 0 && number > 0)
    .sort((a, b) => a.bus - b.bus || a.number - b.number);
}

function mediatedDevice(folder: string): MediatedDevice {
  const type = textOf(folder, "mdev_type/name") || (linkOf(folder, "mdev_type") ?? "");
  return { uuid: basename(folder), type, ...grouped(folder) };
}

/** `sys`: where sysfs is mounted. */
export function machineDevices(sys: string): MachineDevices {
  const bus = (name: string) => join(sys, "bus", name, "devices");
  const all = (name: string) => namesIn(bus(name)).map((one) => join(bus(name), one));
  return {
    pci: all("pci").map(pciDevice),
    usb: usbDevices(bus("usb")),
    mediated: all("mdev").map(mediatedDevice),
  };
}
