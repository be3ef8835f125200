// What a disk's pod is told to do, between the DataVolume controller (and those of snapshots and exports) and the
// program that runs in the pod (`vm-disk.ts`), under the same handler as QEMU.

/** Of the pod: the JSON of a `DiskTask`. */
export const taskAnnotation = "vms.kerb.dev/task";
/** Where the program answers in the pod's network; see `serve.ts`. */
export const taskPort = 8443;

export const isDiskPod = ({ annotations }: { annotations: Record<string, string> }) =>
  taskAnnotation in annotations;

/** All of the pod's volumes lie in it. */
export const taskFolder = "/vm";

/** Of Secrets whose values are headers, a folder each. */
export const headersFolder = "/vm/headers";

export const taskPaths = {
  /** The disk that is filled: a folder, or a device for block claims. */
  target: "/vm/disks/target",
  /** What it is filled from: a folder or device of a claim, or an image. */
  source: "/vm/disks/source",
  /** Room for what is not a disk yet, where the target is a device. */
  scratch: "/vm/run",
} as const;

/** Names of the files on a claim. */
export const diskFile = "disk.img";
export const partFile = ".import.part";

export interface DiskTask {
  kind: "blank" | "http" | "s3" | "image" | "upload" | "copy" | "serve" | "replica";
  /** Of `http` and `s3`. */
  url?: string;
  /** `sha256:HEX`. */
  checksum?: string;
  /** `Name: value`. */
  headers?: string[];
  /** PEM texts that are trusted besides the usual. */
  ca?: string;
  /** Of `http`: it is a disk, and not an image of one. */
  isRaw?: boolean;
  /** What the claim has room for; a larger disk is refused. */
  bytes: number;
  /** All of that is taken at once, zeros too; of files. */
  preallocation?: true;
  /** The target is a device. */
  block: boolean;
  /** So is the source. */
  sourceBlock?: boolean;
  /** File of the source that is copied; the only one of /disk in images. */
  sourceFile?: string;
  /** File that a copy is made to; `disk.img` when absent. It stays as long as its source. */
  targetFile?: string;
  /** Of `serve`: files and devices, by the name that they are asked for. */
  volumes?: { name: string; path: string }[];
  /** Whoever knows it may ask: hexadecimal. */
  key: string;
}

export interface Progress {
  phase: "waiting" | "transferring" | "converting" | "done";
  doneBytes: number;
  totalBytes?: number;
}

/** Whoever asks with this is answered at the end, or after a while. */
export const untilDone = "/progress?until=done";

/** Exit codes: `hopeless` is not tried again. */
export const exitCodes = { failed: 1, hopeless: 3 } as const;
