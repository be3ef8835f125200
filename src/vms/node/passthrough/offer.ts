// Which devices of a machine are offered to guests under which resource: those that the KubeVirt object permits and
// that can be taken from the machine whole. Pure.
import type { GrantedDevice } from "../../host-devices.ts";
import type { MachineDevices, MediatedDevice, PciDevice } from "./machine-devices.ts";

export interface OfferedDevice {
  id: string;
  kind: GrantedDevice["kind"];
  /** As `GrantedDevice.at`; of what is only to be had together, all. */
  places: string[];
  /** Nodes in /dev by which it is reached. */
  nodes: string[];
}

/** A device that is permitted, and why nobody can have it. */
export interface Withheld {
  resource: string;
  device: string;
  why: string;
}

export interface Offers {
  /** By resource. */
  offered: Map<string, OfferedDevice[]>;
  withheld: Withheld[];
}

const vfioDriver = "vfio-pci";
const vfioNodes = (group: string) => ["/dev/vfio/vfio", `/dev/vfio/${group}`];

/** Why a device cannot be had, though it is permitted. */
function whyNot({ driver, group }: PciDevice, ofGroup: PciDevice[]): string | undefined {
  if (driver !== vfioDriver) return `its driver is ${driver ?? "none"} and not ${vfioDriver}`;
  if (group === undefined) return "this machine has no IOMMU, or does not use it";
  const used = ofGroup.find((one) => one.driver !== undefined && one.driver !== vfioDriver);
  if (!used) return undefined;
  return `${used.address} of the same IOMMU group, ${group}, is used by the machine (${used.driver})`;
}

class Offering {
  readonly offered = new Map<string, OfferedDevice[]>();
  readonly withheld: Withheld[] = [];
  readonly #taken = new Set<string>();
  readonly #machine: MachineDevices;

  constructor(machine: MachineDevices) {
    this.#machine = machine;
  }

  /** To one resource alone, the first that names it. */
  #offer(resource: string, device: OfferedDevice) {
    const { kind, places } = device;
    for (const place of places) this.#taken.add(`${kind} ${place}`);
    this.offered.set(resource, [...(this.offered.get(resource) ?? []), device]);
  }

  #isFree = (kind: OfferedDevice["kind"], place: string) => !this.#taken.has(`${kind} ${place}`);

  pci(resource: string, selector: string) {
    const { pci } = this.#machine;
    for (const device of pci) {
      const { address, id, group } = device;
      if (id !== selector.toLowerCase() || !this.#isFree("pci", address)) continue;
      const ofGroup = pci.filter((one) => group && one.group === group && !one.isBridge);
      const why = whyNot(device, ofGroup);
      if (why) this.withheld.push({ resource, device: address, why });
      else {
        const nodes = vfioNodes(group!);
        this.#offer(resource, { id: address, kind: "pci", places: [address], nodes });
      }
    }
  }

  mediated(resource: string, type: string) {
    const isWanted = (one: MediatedDevice) => one.type === type && one.group !== undefined;
    for (const { uuid, group } of this.#machine.mediated.filter(isWanted)) {
      if (!this.#isFree("mediated", uuid)) continue;
      const nodes = vfioNodes(group!);
      this.#offer(resource, { id: uuid, kind: "mediated", places: [uuid], nodes });
    }
  }

  /** One of each selector are one device. */
  usb(resource: string, selectors: { vendor: string; product: string }[]) {
    if (selectors.length === 0) return;
    const digits = (text: string) => text.toLowerCase().replace(/^0x/, "").padStart(4, "0");
    const wanted = selectors.map(({ vendor, product }) => `${digits(vendor)}:${digits(product)}`);
    for (;;) {
      const free = this.#machine.usb.filter(({ bus, number }) =>
        this.#isFree("usb", `${bus}:${number}`),
      );
      const found = wanted.flatMap((id) => {
        const at = free.findIndex((one) => one.id === id);
        return at < 0 ? [] : free.splice(at, 1);
      });
      if (found.length < wanted.length) return;
      const padded = (number: number) => String(number).padStart(3, "0");
      this.#offer(resource, {
        id: found.map(({ id, bus, number }) => `${id}-${bus}:${number}`).join(","),
        kind: "usb",
        places: found.map(({ bus, number }) => `${bus}:${number}`),
        nodes: found.map(({ bus, number }) => `/dev/bus/usb/${padded(bus)}/${padded(number)}`),
      });
    }
  }
}

/** `permitted`: `permittedHostDevices`. What others provide they offer themselves. */
export function offersOf(permitted: any, machine: MachineDevices): Offers {
  const { pciHostDevices, mediatedDevices, usb } = permitted ?? {};
  const own = (list: any[] = []) => list.filter((one) => !one.externalResourceProvider);
  const offering = new Offering(machine);
  for (const { resourceName, pciVendorSelector } of own(pciHostDevices)) {
    offering.pci(resourceName, pciVendorSelector);
  }
  for (const { resourceName, mdevNameSelector } of own(mediatedDevices)) {
    offering.mediated(resourceName, mdevNameSelector);
  }
  for (const { resourceName, selectors } of own(usb)) offering.usb(resourceName, selectors ?? []);
  return offering;
}
