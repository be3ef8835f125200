// The plug for whatever runs a pod's containers: containerd (containers/; WebAssembly by its handler, see
// wasm/), QEMU (vms/), and a fake for tests and simulated fleets. Modelled on CRI v1: sandboxes hold a pod's network
// and namespaces, containers run in them. All calls are idempotent: a runtime finds again, after a
// restart of Kerb, what it started before.
import type { Duplex } from "node:stream";
import type { Streams } from "../lib/node-connection.ts";

/** Users of a pod, 0 and so on, and who they are on the machine. */
export interface UserRange {
  hostId: number;
  length: number;
}

export interface SandboxConfig {
  /** Absent: its users are the machine's. */
  userNamespace?: UserRange;
  podUid: string;
  namespace: string;
  name: string;
  /** Counts the sandboxes of this pod, from 0. */
  attempt: number;
  hostname: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  hostNetwork: boolean;
  /** That the pod had before, and has again if they are free. */
  addresses?: string[];
  hostPid: boolean;
  hostIpc: boolean;
  shareProcessNamespace: boolean;
  dns: { servers: string[]; searches: string[]; options: string[] };
  sysctls: Record<string, string>;
  portMappings: {
    protocol: "TCP" | "UDP" | "SCTP";
    containerPort: number;
    hostPort: number;
    hostIp: string;
  }[];
  logDirectory: string;
  /** Parent cgroup of the pod; "" lets the runtime choose. */
  cgroupParent: string;
  /** Pod-level security context, as in the API. */
  securityContext: Record<string, any>;
  /** RuntimeClass handler; "" is the default. */
  handler: string;
  /** What is to run in it, as the API has it, for runtimes that suit some programs only. */
  containers?: readonly PlannedContainer[];
  /** Their images have been waited for: what is not there does not come soon. */
  imagesAwaited?: boolean;
}

export interface PlannedContainer {
  name: string;
  image: string;
  command?: string[];
  args?: string[];
  [field: string]: any;
}

export interface Mount {
  hostPath: string;
  containerPath: string;
  readOnly: boolean;
  /** With all that is mounted below it. */
  recursiveReadOnly?: boolean;
  propagation: "None" | "HostToContainer" | "Bidirectional";
}

export interface Resources {
  cpuShares?: number;
  cpuQuota?: number;
  cpuPeriod?: number;
  memoryBytes?: number;
  oomScoreAdj?: number;
  /** `0-1,4`; absent: any. */
  cpusetCpus?: string;
  hugepageLimits?: { pageSize: string; limit: number }[];
}

export interface ContainerConfig {
  name: string;
  /** Counts the starts of this container, from 0. */
  attempt: number;
  /** Image id as `ensureImage` returned it. */
  image: string;
  /** Image as the user wrote it. */
  imageRef: string;
  command: string[];
  args: string[];
  workingDir: string;
  env: { name: string; value: string }[];
  mounts: Mount[];
  devices: { hostPath: string; containerPath: string; permissions: string }[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Relative to the sandbox's log directory. */
  logPath: string;
  stdin: boolean;
  stdinOnce: boolean;
  tty: boolean;
  resources: Resources;
  /** The container whose processes this one sees; an ephemeral container's target. */
  targetId?: string;
  /** Container-level security context merged over the pod's, as in the API, with runAsUser resolved where known. */
  securityContext: Record<string, any>;
}

export interface SandboxStatus {
  id: string;
  podUid: string;
  namespace: string;
  name: string;
  attempt: number;
  ready: boolean;
  /** Milliseconds since 1970. */
  createdAt: number;
  /** Pod addresses, the first is the pod's IP; empty for the host's network. */
  ips: string[];
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** Path of the sandbox's network namespace, when it has one. */
  netns?: string;
}

export interface ContainerStatus {
  id: string;
  sandboxId: string;
  name: string;
  attempt: number;
  state: "created" | "running" | "exited" | "unknown";
  createdAt: number;
  startedAt: number;
  finishedAt: number;
  exitCode: number;
  /** "OOMKilled", "Completed", "Error", "StartError", ... */
  reason: string;
  message: string;
  /** As in containerStatuses[].image and imageID. */
  image: string;
  imageId: string;
  labels: Record<string, string>;
  annotations: Record<string, string>;
  /** The whole path; empty where nobody knows. */
  logPath: string;
}

/** A pod's sandboxes and containers as they are now. */
export interface RuntimePod {
  sandboxes: SandboxStatus[];
  containers: ContainerStatus[];
}

export interface Stats {
  containerId: string;
  cpuNanoseconds: number;
  memoryBytes: number;
  workingSetBytes: number;
  /** Memory that is no cache. */
  rssBytes?: number;
  /** Of its own layer: what it wrote beside its volumes. */
  writtenBytes?: number;
  writtenInodes?: number;
}

export interface PullAuth {
  username: string;
  password: string;
}

export interface ImageStatus {
  id: string;
  tags: string[];
  digests: string[];
  sizeBytes: number;
  /** Never collected. */
  pinned?: boolean;
  /** User from the image's config: numeric uid, or a name that only the runtime can resolve. */
  uid?: number;
  username?: string;
}

/** What an image says of the program in it. */
export interface ImageConfig {
  id: string;
  /** As imageID has it: the digest that a registry gave, or the id. */
  imageId: string;
  entrypoint: string[];
  cmd: string[];
  env: string[];
  workingDir: string;
  /** As the image has it, numbers or names; "" is root. */
  user: string;
}

/** What the machine must mount to show some files. */
export interface FileSystem {
  type: string;
  source: string;
  options: string[];
}

/** What not every version of a runtime can do. */
export interface RuntimeAbilities {
  /** Heeds `supplementalGroupsPolicy`. */
  strictGroups: boolean;
  /** What its handlers can do, by name; `` is the one that pods have that name none. */
  handlers?: ReadonlyMap<string, HandlerAbilities>;
}

export interface HandlerAbilities {
  recursiveReadOnlyMounts: boolean;
  userNamespaces: boolean;
}

export interface Runtime {
  /** Absent: none of them. */
  readonly abilities?: RuntimeAbilities;
  /** Shown in the node's status, `containerd://1.6.20`. */
  readonly version: string;
  /** Undefined where the images of its containers have to be there first, which is said before they were awaited. */
  runSandbox(config: SandboxConfig): Promise<string | undefined>;
  /** Stops all of its containers and frees its network. Idempotent. */
  stopSandbox(id: string): Promise<void>;
  removeSandbox(id: string): Promise<void>;
  createContainer(
    sandboxId: string,
    config: ContainerConfig,
    sandbox: SandboxConfig,
  ): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** `signal` (by default the image's, or SIGTERM), then SIGKILL after `graceMs`. Idempotent. */
  stopContainer(id: string, graceMs: number, signal?: string): Promise<void>;
  /** Sizes a running container anew; absent where containers keep the size they began with. */
  updateContainer?(id: string, resources: Resources): Promise<void>;
  removeContainer(id: string): Promise<void>;
  /** Everything this runtime knows, by pod uid. */
  pods(): Promise<Map<string, RuntimePod>>;
  /** One pod with full detail (addresses, exit codes); undefined when it has none. */
  pod(podUid: string): Promise<RuntimePod | undefined>;
  /** Calls back with a pod's uid when something about it changed; a hint, not a promise. Returns its stop. */
  onChange(listener: (podUid: string) => void): () => void;
  imageStatus(ref: string): Promise<ImageStatus | undefined>;
  /** Where a pod's cgroup lies that was made before its pod; absent where none is. */
  cgroupOf?(podUid: string): string | undefined;
  /** Absent where nobody else runs what is in the runtime's images. */
  imageConfig?(ref: string): Promise<ImageConfig | undefined>;
  /** Pulls, for a pod with this handler; resolves with the image's id. */
  pullImage(ref: string, auth?: PullAuth, handler?: string): Promise<string>;
  listImages(): Promise<ImageStatus[]>;
  removeImage(ref: string): Promise<void>;
  /** The view of an image that was made under `key`, if there is one. */
  viewOf(key: string): Promise<FileSystem | undefined>;
  /** Makes a read-only view of an image that is there. It keeps the image's layers until it is dropped. */
  viewImage(key: string, ref: string): Promise<FileSystem>;
  /** Idempotent. */
  dropView(key: string): Promise<void>;
  /** Runs to its end and collects output, for exec probes and hooks; rejects on timeout. */
  execSync(
    id: string,
    command: string[],
    timeoutMs: number,
  ): Promise<{ exitCode: number; stdout: Uint8Array; stderr: Uint8Array }>;
  /** Resolves with the exit code. */
  exec(id: string, command: string[], tty: boolean, streams: Streams): Promise<number>;
  attach(id: string, tty: boolean, streams: Streams): Promise<void>;
  /** Opens a byte stream to a port inside the sandbox. */
  portForward(sandboxId: string, port: number): Promise<Duplex>;
  /** Tells the runtime that a container's log file was moved. */
  reopenLog(id: string): Promise<void>;
  stats(): Promise<Stats[]>;
  /** Ends what runs of it that it does not know itself any more; resolves with how many there were. */
  endOrphans?(): Promise<number>;
  close(): Promise<void>;
}

/** The cgroup of one container, for runtimes that have no other runtime make it. */
export interface ContainerCgroups {
  /**
   * Makes the cgroup, `path` being below every controller's root. Resolves with files: a process of one thread that
   * writes 0 into each of them is in it, and so is whatever it starts.
   */
  make(path: string): Promise<string[]>;
  limit(path: string, resources: Resources): Promise<void>;
  usage(path: string): Promise<Omit<Stats, "containerId">>;
  /** True when the kernel ended something in it for want of memory. */
  ranOut(path: string): Promise<boolean>;
  remove(path: string): Promise<void>;
}
