// A disk of a VMI, and the volume behind it, as QEMU is to find it. Pure.
import { parseQuantity } from "../lib/quantity.ts";
import type { DiskSource, DomainDisk } from "./domain.ts";

const decoded = (base64: string) => Buffer.from(base64, "base64").toString();

/** Data in the VMI itself; that of Secrets is mounted. */
function cloudInitOf(
  style: "noCloud" | "configDrive",
  { userData, userDataBase64, networkData, networkDataBase64 }: any,
): DiskSource {
  const user = userData ?? (userDataBase64 && decoded(userDataBase64));
  const network = networkData ?? (networkDataBase64 && decoded(networkDataBase64));
  return { kind: "cloudInit", style, ...(user && { user }), ...(network && { network }) };
}

export interface DiskContext {
  isBlock: (claim: string) => boolean;
  isShared?: (claim: string) => boolean;
  isReplicated?: (claim: string) => boolean;
  bytesOf?: (claim: string) => number | undefined;
}

const claimFile = "disk.img";

function claim(name: string, context: DiskContext): DiskSource {
  const { isBlock, isShared, isReplicated, bytesOf } = context;
  if (isReplicated?.(name)) return { kind: "file", file: claimFile, replicated: true };
  const shared = isShared?.(name) && { shared: true };
  const growBytes = bytesOf?.(name);
  return isBlock(name)
    ? { kind: "block", ...shared }
    : { kind: "file", file: claimFile, ...shared, ...(growBytes && { growBytes }) };
}

/** Nobody but the VM fills it, so where it holds no disk, it gets one. */
function ownClaim(name: string, context: DiskContext): DiskSource {
  const source = claim(name, context);
  const createBytes = context.bytesOf?.(name);
  return source.kind === "file" && createBytes ? { ...source, createBytes } : source;
}

const base = (path: string) => path.slice(path.lastIndexOf("/") + 1);

function hostDisk({ path, type, capacity, shared }: any): DiskSource {
  const create = type === "DiskOrCreate" && capacity !== undefined;
  return {
    kind: "file",
    file: base(path),
    onHost: true,
    ...(create && { createBytes: parseQuantity(capacity) }),
    ...(shared && { shared }),
  };
}

type Reader = (source: any, context: DiskContext) => DiskSource;

const readers: Record<string, Reader> = {
  containerDisk: ({ path }) => ({ kind: "containerDisk", ...(path && { path }) }),
  persistentVolumeClaim: ({ claimName }, context) => ownClaim(claimName, context),
  dataVolume: ({ name }, context) => claim(name, context),
  ephemeral: ({ persistentVolumeClaim: { claimName } }, { isBlock }) => ({
    kind: "ephemeral",
    block: isBlock(claimName),
  }),
  emptyDisk: ({ capacity }) => ({ kind: "emptyDisk", capacityBytes: parseQuantity(capacity) }),
  hostDisk,
  cloudInitNoCloud: (source) => cloudInitOf("noCloud", source),
  cloudInitConfigDrive: (source) => cloudInitOf("configDrive", source),
  configMap: ({ volumeLabel }) => ({ kind: "files", label: volumeLabel ?? "cfgdata" }),
  secret: ({ volumeLabel }) => ({ kind: "files", label: volumeLabel ?? "cfgdata" }),
  downwardAPI: ({ volumeLabel }) => ({ kind: "files", label: volumeLabel ?? "cfgdata" }),
  serviceAccount: () => ({ kind: "files", label: "cfgdata" }),
  sysprep: () => ({ kind: "files", label: "sysprep" }),
};

/** The kinds of volumes that may be disks. */
export const volumeKinds = Object.keys(readers);

const devices = ["cdrom", "lun", "disk"] as const;

/** Throws for a volume of a kind that is none of `volumeKinds`. */
export function diskOf(disk: any, volume: any, context: DiskContext): DomainDisk {
  const kind = volumeKinds.find((one) => volume[one] !== undefined);
  if (!kind) throw new Error(`volume ${volume.name} has no source that may be a disk`);
  const device = devices.find((one) => disk[one] !== undefined) ?? "disk";
  const { bus, readonly } = disk[device] ?? {};
  const { bootOrder, cache, io, serial, shareable, errorPolicy, blockSize } = disk;
  const source = readers[kind]!(volume[kind], context);
  const fixed = source.kind === "files" || source.kind === "cloudInit" || device === "cdrom";
  const claimReadOnly = volume.persistentVolumeClaim?.readOnly ?? false;
  return {
    name: disk.name,
    device,
    bus: bus ?? "sata",
    readOnly: fixed || (readonly ?? claimReadOnly),
    source,
    ...(bootOrder && { bootOrder }),
    ...(cache && { cache }),
    ...(io && { io }),
    ...(serial && { serial }),
    ...(shareable && { shareable }),
    ...(errorPolicy && { errorPolicy }),
    ...(blockSize?.custom && { blockSize: blockSize.custom }),
  };
}
