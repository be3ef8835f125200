// What the node found out and made before QEMU starts, beside the Domain: the input of the command line.
import type { GrantedDevice } from "../host-devices.ts";
import type { DomainDisk } from "../domain.ts";

export interface ImageFile {
  /** Inside the container. */
  path: string;
  driver: "file" | "host_device";
  format: "raw" | "qcow2";
}

export interface PreparedDisk extends ImageFile {
  disk: DomainDisk;
  /** What lies below an overlay; read only. */
  backing?: ImageFile;
}

export interface Launch {
  accelerator: "kvm" | "tcg";
  disks: PreparedDisk[];
  /** Tap devices of the pod's network namespace, by interface; none for `user`. */
  taps: Record<string, string>;
  /** Of the pod's network. */
  mtu: number;
  /** Folder of the sockets. */
  run: string;
  hostDevices?: GrantedDevice[];
  /** Inside the container. */
  kernel?: { path?: string; initrd?: string };
  /** UEFI's code, and the VM's own copy of its variables. */
  efi?: { code: string; variables: string };
}

/** Socket in `run` of a sidecar. */
export const sidecarSocket = (container: string) => `${container}.sock`;

/** Sockets in `run` by which clients plug in USB devices, each one. */
export const usbSlots = [0, 1, 2, 3].map((i) => `usbredir-${i}`);

/** Sockets in `run`. */
export const socketNames = {
  control: "qmp",
  events: "qmp-events",
  console: "console",
  agent: "agent",
  vnc: "vnc",
} as const;
