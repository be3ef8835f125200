// The contract between those who make a launcher pod (the VMI controller) and those who start QEMU in it (the
// handler `vm` and the node's side). A VMI is one pod; what QEMU needs travels in one annotation of that pod
// as JSON, made from the VMI by `domainOf`. Everything else of the VM (addresses, limits, logs, volumes)
// is the pod's.

import type { HostDevice } from "./host-devices.ts";

/** Of the launcher pod: the JSON of a `Domain`. */
export const domainAnnotation = "vms.kerb.dev/domain";
/** Of the RuntimeClass that launcher pods name, and of its handler. */
export const runtimeClass = { name: "kerb-vm", handler: "vm" } as const;
/** Made by Kerb on every node that runs VMs; never pulled (imagePullPolicy: Never). */
export const launcherImage = "kerb.internal/virt-launcher:1";
/** The container that is QEMU. */
export const computeContainer = "compute";
/** What a probe of the guest's agent runs in the container's place: this, and the guest's command or nothing. */
export const agentProbe = "virt-probe";
/** The user that QEMU runs as; the launcher pod's runAsUser, runAsGroup and fsGroup. */
export const qemuUser = 107;

/** Where the launcher pod's volumes are mounted in the compute container. */
export const launcherPaths = {
  /** An emptyDir: overlays, seeds, sockets. Mounted with HostToContainer, so that hotplugged disks appear. */
  run: "/vm/run",
  /** Of a VMI's volume: `/vm/disks/NAME`, a directory, or a device for block claims (volumeDevices). */
  disk: (volume: string) => `/vm/disks/${volume}`,
  /** Where the Secrets of a cloud-init volume are mounted: user data, network data, by key. */
  cloudInitUser: (volume: string) => `/vm/disks/${volume}/user`,
  cloudInitNetwork: (volume: string) => `/vm/disks/${volume}/network`,
  /** A Secret with keys for the guest's seed. */
  credential: (volume: string) => `/vm/access/${volume}`,
  /** Image volume of firmware.kernelBoot.container. */
  kernel: "/vm/disks/kernel-boot",
  /** What outlives the guest's end: UEFI's variables, a TPM. */
  state: "/vm/state",
  /** Of a sidecar that shares a volume's files. */
  share: "/vm/share",
} as const;
/** Programs beside QEMU that it speaks to by sockets in `launcherPaths.run`: sidecars, so they begin before it. */
export const sidecars = {
  tpm: "swtpm",
  share: (volume: string) => `virtiofs-${volume}`,
} as const;
/** Name of the emptyDir of `launcherPaths.run`. */
export const runVolume = "vm-run";

export type DiskSource =
  /** An image volume: raw or qcow2 at `path`, by default the only file in its folder /disk. */
  | { kind: "containerDisk"; path?: string }
  /**
   * A raw disk.img on a claim's file system, or a host's; made of `createBytes` where there is none, and of
   * `growBytes` at least. `replicated`: other nodes have copies, and the guest waits until it is told to which it writes.
   */
  | {
      kind: "file";
      file: string;
      createBytes?: number;
      growBytes?: number;
      shared?: boolean;
      replicated?: boolean;
      /** Not a volume's but the machine's own. */
      onHost?: boolean;
    }
  /** `shared`: the claim is there on every node. */
  | { kind: "block"; shared?: boolean }
  /** What lies on a claim, with an overlay that ends with the pod. */
  | { kind: "ephemeral"; block: boolean }
  | { kind: "emptyDisk"; capacityBytes: number }
  | { kind: "cloudInit"; style: "noCloud" | "configDrive"; user?: string; network?: string }
  /** The files of a mounted configMap, secret, downwardAPI or serviceAccount volume, as a small disk. */
  | { kind: "files"; label: string };

export interface DomainDisk {
  /** Of the VMI's volume. */
  name: string;
  device: "disk" | "cdrom" | "lun";
  bus: "virtio" | "sata" | "scsi" | "usb";
  readOnly: boolean;
  source: DiskSource;
  bootOrder?: number;
  cache?: "none" | "writethrough" | "writeback";
  io?: "native" | "threads";
  serial?: string;
  shareable?: boolean;
  errorPolicy?: "stop" | "ignore" | "report" | "enospace";
  /** Plugged in while the VM ran: its source lies in `run`/hotplug/NAME. */
  hotplugged?: boolean;
  blockSize?: { logical?: number; physical?: number; discardGranularity?: number };
  /** Name of the thread that serves it; default: QEMU's main thread. */
  ioThread?: string;
}

export interface DomainInterface {
  /** Of the VMI's interface and network. */
  name: string;
  binding: "masquerade" | "bridge" | "user";
  model: "virtio" | "e1000" | "e1000e" | "rtl8139" | "ne2k_pci" | "pcnet";
  mac: string;
  /** Of the masquerade: where the guest lives. */
  cidr: string;
  /** For masquerade: only these reach the guest; none named: all. */
  ports: { name?: string; port: number; protocol: "TCP" | "UDP" }[];
  bootOrder?: number;
  dhcp: {
    bootFileName?: string;
    tftpServerName?: string;
    ntpServers?: string[];
    options?: [number, string][];
  };
  /** Whether the cable is in. */
  linkUp: boolean;
}

/** A Secret by which people log in, and how it gets into the guest: in its seed, or by its agent. */
export interface DomainCredential {
  /** Of the launcher pod. */
  volume: string;
  seed?: "noCloud" | "configDrive";
  /** Users that log in with its keys. */
  users?: string[];
  /** Its keys are users, and what they hold are passwords. */
  passwords?: true;
}

export interface DomainCpu {
  sockets: number;
  cores: number;
  threads: number;
  /** "host-model" and "host-passthrough" mean the best there is on the node. */
  model: string;
  features: { name: string; policy: "force" | "require" | "optional" | "disable" | "forbid" }[];
  /** The guest does not see that KVM runs it. */
  hidesKvm?: true;
  /** Ends of interrupts cost no exit. */
  endOfInterrupt?: true;
}

export interface DomainFirmware {
  uuid: string;
  serial?: string;
  /** UEFI, with or without secure boot; absent: BIOS. */
  efi?: { secureBoot: boolean; persistent: boolean };
  kernel?: { args: string; kernelPath?: string; initrdPath?: string };
  useSerial: boolean;
}

/** What the guest reads of its case. */
export interface DomainChassis {
  manufacturer?: string;
  version?: string;
  serial?: string;
  asset?: string;
  sku?: string;
}

/** Where they differ from what QEMU does by itself. */
export interface DomainTimers {
  hpet?: false;
  pit?: false;
  kvmClock?: false;
  /** Ticks that a guest missed are made up for. */
  rtcCatchUp?: true;
  /** The guest's own time, which stands still with it. */
  rtcOfGuest?: true;
}

export interface Domain {
  namespace: string;
  name: string;
  /** Of the VMI. */
  uid: string;
  hostname: string;
  machine: "q35" | "pc" | "microvm";
  acpi: boolean;
  /** System management mode, asked for by itself. */
  smm?: true;
  chassis?: DomainChassis;
  timers?: DomainTimers;
  cpu: DomainCpu;
  memoryBytes: number;
  /** Of the node's huge pages of this size. */
  hugePageBytes?: number;
  /** CPUs of the node that nobody else uses. */
  dedicatedCpus?: true;
  hostDevices?: HostDevice[];
  firmware: DomainFirmware;
  disks: DomainDisk[];
  interfaces: DomainInterface[];
  credentials?: DomainCredential[];
  graphics: boolean;
  serialConsole: boolean;
  /** The console is not the container's log. */
  consoleUnlogged?: true;
  /** Queues for each virtual CPU, of virtio disks and of virtio network cards. */
  blockQueues?: true;
  networkQueues?: true;
  /** Virtio devices that drivers of its first version know, too. */
  transitional?: true;
  /** Nothing is plugged in while it runs. */
  fixed?: true;
  /** Beside what QEMU needs by itself. */
  reservedBytes?: number;
  balloon: boolean;
  rng: boolean;
  tpm?: { persistent: boolean };
  /** Whether the claim of what persists is there on every node; absent: nothing persists. */
  state?: { shared: boolean };
  /** The guest's context id. */
  vsock?: number;
  watchdog?: { action: "poweroff" | "reset" | "shutdown" };
  /** Clients may plug in USB devices of theirs. */
  usbSlots?: true;
  inputs: { name: string; type: "tablet" | "keyboard"; bus: "usb" | "virtio" }[];
  /** Virtiofs shares, by volume. */
  filesystems: string[];
  /** Seconds beside UTC. */
  clockOffsetSeconds: number;
  /** Where the clock says the local time. */
  timeZone?: string;
  /** rebootPolicy: Terminate. */
  endOnReboot: boolean;
  /** startStrategy: Paused. */
  startPaused: boolean;
  graceSeconds: number;
  /** The target of a live migration: waits for the other side. */
  incoming?: boolean;
  /** The address that others know the guest by, where it is not that of its pod: it moved here. */
  address?: string;
}
