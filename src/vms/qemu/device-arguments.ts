// Everything beside disks that is plugged into the machine. Pure.
import { join } from "node:path";
import { sidecars } from "../domain.ts";
import type { Domain, DomainInterface } from "../domain.ts";
import type { GrantedDevice } from "../host-devices.ts";
import type { Properties } from "./disk-arguments.ts";
import type { Launch } from "./launch.ts";
import { sidecarSocket, socketNames, usbSlots } from "./launch.ts";

const balloonId = "balloon0";
/** Of its object in QEMU. */
export const balloonPath = `/machine/peripheral/${balloonId}`;

/** PCIe slots that are kept free for what is plugged in later. */
export const spareSlots = 6;
export const spareSlot = (n: number) => `spare${n}`;

/** The words of a command line: an option, and its value as JSON. */
export const json = (option: string, value: Properties) => [`-${option}`, JSON.stringify(value)];

export const virtio = ({ machine, transitional }: Domain, name: string) =>
  `${name}-${machine === "microvm" ? "device" : transitional ? "pci-transitional" : "pci"}`;

export const vcpus = ({ cpu: { sockets, cores, threads } }: Pick<Domain, "cpu">) =>
  sockets * cores * threads;

/** A socket that Kerb connects to. QEMU goes on without anybody there. */
const listening = (run: string, name: string, more = "") => [
  "-chardev",
  `socket,id=${name},path=${join(run, name)},server=on,wait=off${more}`,
];

/** Two monitors: one for commands, one that only listens. */
export const monitors = (run: string) =>
  [socketNames.control, socketNames.events].flatMap((name) => [
    ...listening(run, name),
    "-mon",
    `chardev=${name},mode=control`,
  ]);

/** What the guest says there is the container's log as well. */
function consoleOf({ serialConsole, consoleUnlogged }: Domain, run: string): string[] {
  if (!serialConsole) return [];
  const log = consoleUnlogged ? "" : ",logfile=/dev/stdout,logappend=on";
  return [
    ...listening(run, socketNames.console, log),
    ...json("device", { driver: "isa-serial", chardev: socketNames.console, id: "serial0" }),
  ];
}

const agentPort = "org.qemu.guest_agent.0";

/**
 * It has 64 queues for its ports. An event of the kernel's for each would be made as the guest goes on where it moved to,
 * and QEMU would outgrow its table of files: the kernel makes it wait for 10 ms then.
 */
const withoutEvents = ({ machine }: Domain) => (machine === "microvm" ? {} : { ioeventfd: false });

function agentOf(domain: Domain, run: string): string[] {
  const driver = virtio(domain, "virtio-serial");
  return [
    ...json("device", { driver, id: "serials", ...withoutEvents(domain) }),
    ...listening(run, socketNames.agent),
    ...json("device", {
      driver: "virtserialport",
      bus: "serials.0",
      chardev: socketNames.agent,
      name: agentPort,
      id: "agent",
    }),
  ];
}

/** Of one card; QEMU takes no more. */
const queuesMax = 16;

/** How many of the tap's queues a card has. */
export const tapQueues = (domain: Pick<Domain, "cpu" | "networkQueues">, one: DomainInterface) =>
  domain.networkQueues && one.model === "virtio" && one.binding !== "user"
    ? Math.min(vcpus(domain), queuesMax)
    : 1;

const ports = (one: DomainInterface) =>
  one.ports.map(({ port, protocol }) => ({
    str: `${protocol.toLowerCase()}::${port}-:${port}`,
  }));

function networkCard(domain: Domain, launch: Launch, one: DomainInterface): string[] {
  const id = `net-${one.name}`;
  const tap = launch.taps[one.name];
  const back: Properties =
    one.binding === "user"
      ? { type: "user", id, hostfwd: ports(one), ipv6: false }
      : { type: "tap", id, ifname: tap, script: "no", downscript: "no" };
  const isVirtio = one.model === "virtio";
  const queues = tap ? tapQueues(domain, one) : 1;
  if (queues > 1) back["queues"] = queues;
  return [
    ...json("netdev", back),
    ...json("device", {
      driver: isVirtio ? virtio(domain, "virtio-net") : one.model,
      id: `nic-${one.name}`,
      netdev: id,
      mac: one.mac,
      ...(isVirtio && { host_mtu: launch.mtu }),
      // One interrupt for each direction of a queue, one for changes and one for orders.
      ...(queues > 1 && { mq: true, vectors: 2 * queues + 2 }),
      ...(isVirtio && domain.machine !== "microvm" && { romfile: "" }),
      ...(one.bootOrder && { bootindex: one.bootOrder }),
    }),
  ];
}

/** Cables that are out from the beginning are pulled by QMP; the devices have no property for it. */
function screen({ graphics, machine }: Domain, run: string): string[] {
  if (!graphics || machine === "microvm") return ["-vnc", "none"];
  return [
    "-vnc",
    `unix:${join(run, socketNames.vnc)}`,
    ...json("device", { driver: "VGA", id: "video0", vgamem_mb: 16 }),
  ];
}

const inputDrivers = {
  usb: { tablet: "usb-tablet", keyboard: "usb-kbd" },
  virtio: { tablet: "virtio-tablet-pci", keyboard: "virtio-keyboard-pci" },
};

function inputsOf({ inputs }: Domain): string[] {
  return inputs.flatMap(({ name, type, bus }) =>
    json("device", { driver: inputDrivers[bus][type], id: `input-${name}` }),
  );
}

const usbSlotsOf = (run: string) =>
  usbSlots.flatMap((name) => [
    ...listening(run, name),
    ...json("device", { driver: "usb-redir", id: `${name}-device`, chardev: name }),
  ]);

/** Of each speed; QEMU's own few are fewer than what a guest may have. */
const usbPorts = 15;

function usbOf(domain: Domain, hostDevices: GrantedDevice[]): string[] {
  const isNeeded =
    domain.usbSlots ||
    hostDevices.some(({ kind }) => kind === "usb") ||
    domain.inputs.some(({ bus }) => bus === "usb") ||
    domain.disks.some(({ bus }) => bus === "usb");
  if (!isNeeded) return [];
  const ports = domain.usbSlots && { p2: usbPorts, p3: usbPorts };
  return json("device", { driver: "qemu-xhci", id: "usb", ...ports });
}

function watchdogOf({ watchdog }: Domain): string[] {
  if (!watchdog) return [];
  const { action } = watchdog;
  return [
    ...json("device", { driver: "i6300esb", id: "watchdog0" }),
    "-action",
    `watchdog=${action}`,
  ];
}

const spares = ({ machine, fixed }: Domain) =>
  machine === "q35" && !fixed
    ? Array.from({ length: spareSlots }, (_, i) =>
        json("device", {
          driver: "pcie-root-port",
          id: spareSlot(i),
          chassis: 16 + i,
          "io-reserve": 0,
        }),
      ).flat()
    : [];

/** Programs beside QEMU, which listen already. */
function besides({ tpm, filesystems }: Domain, run: string): string[] {
  const dialed = (id: string, container: string) => [
    "-chardev",
    `socket,id=${id},path=${join(run, sidecarSocket(container))}`,
  ];
  return [
    ...(tpm
      ? [
          ...dialed("tpm", sidecars.tpm),
          ...["-tpmdev", "emulator,id=tpm0,chardev=tpm"],
          ...json("device", { driver: "tpm-crb", tpmdev: "tpm0" }),
        ]
      : []),
    ...filesystems.flatMap((volume) => [
      ...dialed(`share-${volume}`, sidecars.share(volume)),
      ...json("device", {
        driver: "vhost-user-fs-pci",
        id: `filesystem-${volume}`,
        chardev: `share-${volume}`,
        tag: volume,
      }),
    ]),
  ];
}

/** Of its object in QEMU. */
export const hostDeviceId = (name: string, n = 0) => `host-${name}${n > 0 ? `.${n}` : ""}`;
const portId = (id: string) => `port-${id}`;
const firstHostChassis = 64;

function passedThrough({ kind, at }: GrantedDevice, id: string, hasPort: boolean): Properties {
  const place: Properties = hasPort ? { id, bus: portId(id) } : { id };
  if (kind === "pci") return { driver: "vfio-pci", ...place, host: at };
  if (kind === "mediated") {
    return { driver: "vfio-pci", ...place, sysfsdev: `/sys/bus/mdev/devices/${at}` };
  }
  const [hostbus, hostaddr] = at.split(":").map(Number);
  return { driver: "usb-host", id, hostbus, hostaddr };
}

/** A card has a port of its own, as in a machine, from which it can be taken when it leaves the host. */
function hostDevicesOf({ machine }: Domain, all: GrantedDevice[]): string[] {
  return all.flatMap((one, i) => {
    const before = all.slice(0, i).filter(({ name }) => name === one.name).length;
    const id = hostDeviceId(one.name, before);
    const hasPort = machine === "q35" && one.kind !== "usb";
    const port = { driver: "pcie-root-port", id: portId(id), chassis: firstHostChassis + i };
    return [
      ...(hasPort ? json("device", { ...port, "io-reserve": 0 }) : []),
      ...json("device", passedThrough(one, id, hasPort)),
    ];
  });
}

export function deviceArguments(domain: Domain, launch: Launch): string[] {
  const { run, hostDevices = [] } = launch;
  return [
    ...spares(domain),
    ...usbOf(domain, hostDevices),
    ...(domain.usbSlots ? usbSlotsOf(run) : []),
    ...consoleOf(domain, run),
    ...agentOf(domain, run),
    ...screen(domain, run),
    ...domain.interfaces.flatMap((one) => networkCard(domain, launch, one)),
    ...(domain.balloon
      ? json("device", {
          driver: virtio(domain, "virtio-balloon"),
          id: balloonId,
          "free-page-reporting": true,
        })
      : []),
    ...(domain.rng ? json("device", { driver: virtio(domain, "virtio-rng"), id: "rng0" }) : []),
    ...inputsOf(domain),
    ...watchdogOf(domain),
    ...besides(domain, run),
    ...hostDevicesOf(domain, hostDevices),
    ...(domain.vsock
      ? json("device", { driver: "vhost-vsock-pci", id: "vsock0", "guest-cid": domain.vsock })
      : []),
  ];
}
