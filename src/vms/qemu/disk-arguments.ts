// Disks as QEMU's block nodes and devices; for the command line, and for QMP when one is plugged in. Pure.
// Backing files come from here and never from what an image says of itself.
import { createHash } from "node:crypto";
import type { DomainDisk } from "../domain.ts";
import type { ImageFile, PreparedDisk } from "./launch.ts";

export type Properties = Record<string, unknown>;

/** QEMU's names of block nodes are short. */
export const blockNode = (volume: string) =>
  `d-${createHash("sha256").update(volume).digest("hex").slice(0, 24)}`;

export const diskDevice = (volume: string) => `disk-${volume}`;

const isReplicated = ({ source }: DomainDisk) =>
  source.kind === "file" && source.replicated === true;

/** Replicated disks keep the room that they have. */
const discardOf = (disk: DomainDisk) => (isReplicated(disk) ? "ignore" : "unmap");

interface Opening {
  /** Somebody else has it open, and lets go before the guest runs here. */
  isShared?: boolean;
}

function fileNode(
  { path, driver }: ImageFile,
  disk: DomainDisk,
  { readOnly, isShared }: Opening & { readOnly: boolean },
): Properties {
  // What is asked for by `native` needs it.
  const isDirect = disk.cache === "none" || (disk.io === "native" && disk.cache === undefined);
  return {
    driver,
    filename: path,
    "read-only": readOnly,
    aio: disk.io === "native" && isDirect ? "native" : "threads",
    cache: { direct: isDirect, "no-flush": false },
    discard: discardOf(disk),
    ...((disk.shareable || isShared) && { locking: "off" }),
  };
}

/** The block node of a disk, with all that lies below it. */
export function blockdev(
  { disk, backing, ...image }: PreparedDisk,
  opening: Opening = {},
): Properties {
  const below = backing && {
    driver: backing.format,
    "read-only": true,
    file: fileNode(backing, disk, { readOnly: true }),
    ...(backing.format === "qcow2" && { backing: null }),
  };
  return {
    driver: image.format,
    "node-name": blockNode(disk.name),
    "read-only": disk.readOnly,
    discard: discardOf(disk),
    file: fileNode(image, disk, { ...opening, readOnly: disk.readOnly }),
    ...(image.format === "qcow2" && { backing: below ?? null }),
  };
}

const onError: Record<string, string> = {
  stop: "stop",
  ignore: "ignore",
  report: "report",
  enospace: "enospc",
};

export interface Place {
  /** Controllers that exist already. */
  bus?: string;
  bootIndex?: number;
  isMmio?: boolean;
  /** Of virtio disks; default: QEMU's choice. */
  queues?: number;
  /** For drivers of virtio's first version. */
  isTransitional?: boolean;
}

const drivers = {
  virtio: () => "virtio-blk",
  sata: (device: string) => (device === "cdrom" ? "ide-cd" : "ide-hd"),
  scsi: (device: string) =>
    device === "cdrom" ? "scsi-cd" : device === "lun" ? "scsi-block" : "scsi-hd",
  usb: () => "usb-storage",
};

/** The device a guest sees. */
export function diskDeviceOf(disk: DomainDisk, place: Place): Properties {
  const { bus, bootIndex, isMmio, queues, isTransitional } = place;
  const kind = drivers[disk.bus](disk.device);
  const isVirtio = disk.bus === "virtio";
  const { blockSize = {}, ioThread } = disk;
  const model = isMmio ? "device" : isTransitional ? "pci-transitional" : "pci";
  const policy = disk.errorPolicy && onError[disk.errorPolicy];
  return {
    driver: isVirtio ? `${kind}-${model}` : kind,
    id: diskDevice(disk.name),
    drive: blockNode(disk.name),
    ...(bus && { bus }),
    ...(bootIndex !== undefined && { bootindex: bootIndex }),
    ...(disk.serial && disk.device !== "lun" && { serial: disk.serial }),
    ...(disk.cache === "writethrough" && { "write-cache": "off" }),
    ...(disk.shareable && { "share-rw": true }),
    ...(blockSize.logical && { logical_block_size: blockSize.logical }),
    ...(blockSize.physical && { physical_block_size: blockSize.physical }),
    ...(blockSize.discardGranularity && { discard_granularity: blockSize.discardGranularity }),
    ...(isVirtio && queues && { "num-queues": queues }),
    ...(isVirtio && ioThread && { iothread: ioThread }),
    // A cloud of errors on a full disk stops the guest, which goes on when there is room again. So does a copy that
    // fails while it gets what it missed.
    ...(!disk.readOnly && { werror: policy ?? (isReplicated(disk) ? "stop" : "enospc") }),
    ...(policy && policy !== "enospc" && { rerror: policy }),
  };
}
