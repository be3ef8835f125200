// An OCI bundle whose process is QEMU: unprivileged, with QEMU and its libraries of the host to read and
// nothing else beside the pod's volumes. Pure. What the bundle asked for in privileges does not count.
import type { GrantedDevice } from "../host-devices.ts";
import { allowing } from "./seccomp.ts";
import type { Seccomp } from "./seccomp.ts";

interface Device {
  path: string;
  type: "c" | "b";
  major: number;
  minor: number;
}

export interface BundleConfig {
  process: {
    args: string[];
    user: { uid: number; gid: number; additionalGids?: number[] };
    [field: string]: unknown;
  };
  root: { path: string; readonly?: boolean };
  mounts?: { destination: string; type?: string; source?: string; options?: string[] }[];
  linux?: {
    namespaces?: { type: string; path?: string }[];
    devices?: object[];
    resources?: { devices?: object[]; [field: string]: unknown };
    [field: string]: unknown;
  };
  annotations?: Record<string, string>;
  [field: string]: unknown;
}

export interface Program {
  args: string[];
  user: number;
  /** Host paths that the container sees at the same place. */
  files: string[];
  devices: Device[];
}

const annotationOf = (config: BundleConfig, name: string) => config.annotations?.[name];

/** True for a pod's own sandbox, which runs the pause program. */
export const isSandbox = (config: BundleConfig) =>
  annotationOf(config, "io.kubernetes.cri.container-type") === "sandbox";

export const containerName = (config: BundleConfig) =>
  annotationOf(config, "io.kubernetes.cri.container-name");

export const sandboxUid = (config: BundleConfig) =>
  annotationOf(config, "io.kubernetes.cri.sandbox-uid");

/** The host's folder behind a path of the container. */
export const mountSource = ({ mounts }: BundleConfig, destination: string) =>
  mounts?.find((one) => one.destination === destination)?.source;

export function networkNamespace({ linux }: BundleConfig): string | undefined {
  return linux?.namespaces?.find(({ type }) => type === "network")?.path;
}

const readOnly = (file: string) => ({
  destination: file,
  type: "bind",
  source: file,
  options: ["rbind", "ro", "nosuid", "nodev"],
});

export function qemuBundle(config: BundleConfig, program: Program): BundleConfig {
  const { args, user, files, devices } = program;
  const { linux = {} } = config;
  const allowed = devices.map(({ type, major, minor }) => ({
    allow: true,
    access: "rw",
    type,
    major,
    minor,
  }));
  return {
    ...config,
    process: {
      ...config.process,
      args,
      cwd: "/",
      user: { ...config.process.user, uid: user, gid: user },
      capabilities: { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] },
      noNewPrivileges: true,
    },
    root: { ...config.root, readonly: true },
    mounts: [...(config.mounts ?? []), ...files.map(readOnly)],
    linux: {
      ...linux,
      devices: [
        ...(linux.devices ?? []),
        ...devices.map((one) => ({ ...one, fileMode: 0o660, uid: user, gid: user })),
      ],
      resources: {
        ...linux.resources,
        devices: [...(linux.resources?.devices ?? []), ...allowed],
      },
    },
  };
}

const ofGuests = /^\/dev\/(vfio|bus\/usb)\//;

/** Memory that a card reaches stays where it is; QEMU itself copies what goes to USB. */
const lockedMemory = { type: "RLIMIT_MEMLOCK", hard: 2 ** 63, soft: 2 ** 63 };

/** What was put there for the guest is QEMU's to open. */
export function withHostDevices(config: BundleConfig, given: GrantedDevice[]): BundleConfig {
  const { linux = {}, process } = config;
  const { uid, gid } = process.user;
  const devices = (linux.devices ?? []) as { path: string }[];
  const limits = (process["rlimits"] as object[] | undefined) ?? [];
  const isReached = given.some(({ kind }) => kind !== "usb");
  return {
    ...config,
    process: { ...process, rlimits: isReached ? [...limits, lockedMemory] : limits },
    linux: {
      ...linux,
      devices: devices.map((one) => (ofGuests.test(one.path) ? { ...one, uid, gid } : one)),
    },
  };
}

/** Of a guest that arrives: its memory may come after it, which is what the kernel then tells QEMU of. */
export function withLateMemory(config: BundleConfig): BundleConfig {
  const seccomp = allowing(config.linux?.["seccomp"] as Seccomp | undefined, ["userfaultfd"]);
  return { ...config, linux: { ...config.linux, ...(seccomp && { seccomp }) } };
}
