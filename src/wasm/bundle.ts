// An OCI bundle whose program is a WebAssembly module, made to run that module under Node: in a container
// that holds nothing else, as nobody, with no privileges to gain and no calls of the kernel but Node's. Pure.
import { basename, dirname, join, resolve } from "node:path";
import type { Program } from "./program.ts";
import { seccompProfile } from "./seccomp.ts";
import { connectionsMax } from "./http-settings.ts";
import { descriptorsMax } from "./wasi-preview1/descriptors.ts";
import type { Preopen } from "./wasi-preview1/guest.ts";

export interface BundleMount {
  destination: string;
  type?: string;
  source?: string;
  options?: string[];
}

export interface BundleConfig {
  process: {
    args: string[];
    env?: string[];
    cwd: string;
    user?: { uid: number; gid: number; additionalGids?: number[] } | undefined;
    [field: string]: unknown;
  };
  root?: { path: string; readonly?: boolean };
  mounts?: BundleMount[];
  linux?: {
    namespaces?: { type: string; path?: string }[];
    resources?: {
      memory?: { limit?: number; swap?: number; [field: string]: unknown };
      devices?: DeviceRule[];
    };
    [field: string]: any;
  };
  annotations?: Record<string, string>;
  [field: string]: unknown;
}

/** Where Node and the runner lie on the machine. */
export interface Runner {
  /** Node's own executable. */
  executable: string;
  /** The shared objects it needs, the dynamic loader among them. */
  libraries: string[];
  /** Folder of the runner's code, and its file in there. */
  folder: string;
  file: string;
  /** Further programs, with what they load: seen at the same place. */
  tools?: string[];
  /** Folders of the container that lead to its volumes. */
  volumes?: string[];
}

/** In the bundle of every container that runs a module. */
export const programFile = "program.json";
/** Where Node and the runner lie inside the container. */
export const ownFolder = "/.kerb";
export const codeFolder = join(ownFolder, "code");
/** The name by which the loader looks for a shared object: its file may carry more of its version. */
export const sonameOf = (file: string) => basename(file).replace(/(\.so\.\d+)[.\d]*$/, "$1");
const nobody = 65_534;
/** What Node itself takes, above what the module may. */
export const runnerMemoryBytes = 48 * 2 ** 20;
/** Why its limit is not another while it runs. */
export const memoryStays =
  "a WebAssembly module keeps the memory limit that it began with: " +
  "a resizePolicy of RestartContainer lets it begin anew with another";
/** Descriptors that Node and a walk along a path hold besides the guest's. */
const ownDescriptors = 512;
export const descriptorsOf = (network: boolean) =>
  descriptorsMax + ownDescriptors + (network ? connectionsMax : 0);

/** Kerb's annotations of containers; containerd hands them on. */
export const annotationNames = {
  /** The container asked for a user of its own. */
  runAsUser: "kerb.dev/run-as-user",
  /** As the API has it, JSON. */
  securityContext: "kerb.dev/security-context",
  /** args are all of argv, as Krustlet has it. */
  bareArguments: "kerb.dev/bare-arguments",
  /** `optimized`: all code is compiled well before it runs, for those that compute for long. */
  compile: "kerb.dev/wasm-compile",
} as const;

const containerType = "io.kubernetes.cri.container-type";

/** True for a pod's own sandbox, whose program is no module. */
export const isSandbox = ({ annotations }: BundleConfig) =>
  annotations?.[containerType] === "sandbox";

/** The module's path inside the container. */
export function modulePath({ process: { args, cwd } }: BundleConfig): string {
  return resolve("/", cwd, args[0] ?? "");
}

/** Memory that the module may have; undefined: no limit. */
export function memoryLimit({ linux }: BundleConfig): number | undefined {
  const limit = linux?.resources?.memory?.limit ?? 0;
  return limit > 0 ? limit : undefined;
}

/** Files that the runtime gives every container. */
const runtimeFiles = new Set(["/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/dev/shm"]);
const isTerminationLog = ({ source = "" }: BundleMount) => source.endsWith(".termination");

/** Mounts of volumes. */
export function volumesOf({ mounts = [] }: BundleConfig): BundleMount[] {
  return mounts.filter(
    (mount) =>
      (mount.type === "bind" || mount.options?.some((one) => one === "bind" || one === "rbind")) &&
      !runtimeFiles.has(mount.destination) &&
      !isTerminationLog(mount),
  );
}

interface BundleDevice {
  path: string;
  type: string;
  major: number;
  minor: number;
}

interface DeviceRule extends Partial<Omit<BundleDevice, "path">> {
  allow: boolean;
  access?: string;
}

interface GrantedDevice {
  path: string;
  readOnly: boolean;
}

/** Devices that were given to this container by name; to one that may have all of the machine none was. */
export function devicesOf({ linux }: BundleConfig): GrantedDevice[] {
  const rules: DeviceRule[] = linux?.resources?.devices ?? [];
  const devices: BundleDevice[] = linux?.["devices"] ?? [];
  return devices.flatMap(({ path, type, major, minor }) => {
    const isOwn = (rule: DeviceRule) =>
      rule.allow && rule.type === type && rule.major === major && rule.minor === minor;
    const access = rules.filter(isOwn).map((rule) => rule.access ?? "");
    return access.length > 0 ? [{ path, readOnly: !access.some((all) => all.includes("w")) }] : [];
  });
}

/** Of single files and devices their folder, with nothing else in it. */
class Folders {
  readonly #byPath = new Map<string, Preopen>();

  add(file: string, readOnly: boolean, isDevice: boolean) {
    const [path, name] = [dirname(file), basename(file)];
    const before = this.#byPath.get(path);
    const devices = [...(before?.devices ?? []), ...(isDevice ? [name] : [])];
    this.#byPath.set(path, {
      guest: path,
      host: path,
      readOnly: readOnly && (before?.readOnly ?? true),
      only: [...(before?.only ?? []), name],
      ...(devices.length > 0 && { devices }),
    });
  }

  all = () => [...this.#byPath.values()];
}

/** What the guest gets: volumes and devices. */
export function preopensOf(
  volumes: BundleMount[],
  devices: GrantedDevice[],
  isFolder: (path: string) => boolean,
): Preopen[] {
  const single = new Folders();
  const folders: Preopen[] = [];
  for (const { path, readOnly } of devices) single.add(path, readOnly, true);
  for (const { destination, source = "", options = [] } of volumes) {
    const readOnly = options.includes("ro");
    if (isFolder(source)) {
      folders.push({ guest: destination, host: destination, readOnly });
    } else single.add(destination, readOnly, false);
  }
  return [...single.all(), ...folders];
}

/** The environment as the module has it; Node itself gets none, lest it be told what to do. */
export function environmentOf({ process: { env = [] } }: BundleConfig): Record<string, string> {
  return Object.fromEntries(
    env.map((entry) => {
      const at = entry.indexOf("=");
      return at < 0 ? [entry, ""] : [entry.slice(0, at), entry.slice(at + 1)];
    }),
  );
}

/** A module may leave last words itself. Volumes come first: some programs take their first folder for their own. */
function withLastWords(preopens: Preopen[], file: string): Preopen[] {
  const [folder, name] = [dirname(resolve("/", file)), basename(file)];
  const shared = preopens.find(({ guest }) => guest === folder);
  if (!shared) return [...preopens, { guest: folder, host: folder, readOnly: false, only: [name] }];
  const { only } = shared;
  const widened = { ...shared, ...(only && { only: [...only, name], readOnly: false }) };
  return preopens.map((one) => (one === shared ? widened : one));
}

export function programOf(config: BundleConfig, isFolder: (path: string) => boolean): Program {
  const { process: started, annotations = {}, mounts = [] } = config;
  const memoryBytes = memoryLimit(config);
  const log = mounts.find(isTerminationLog)?.destination;
  const preopens = preopensOf(volumesOf(config), devicesOf(config), isFolder);
  const isBare = annotations[annotationNames.bareArguments] === "true";
  return {
    module: modulePath(config),
    args: isBare ? started.args.slice(1) : started.args,
    env: environmentOf(config),
    preopens: log === undefined ? preopens : withLastWords(preopens, log),
    ...(log !== undefined && { terminationLog: log }),
    ...(memoryBytes !== undefined && { memoryBytes }),
  };
}

/** As the first process of its own namespace, Node would not end by a signal; the sandbox is that already. */
function namespacesOf({ linux }: BundleConfig) {
  const all = linux?.namespaces ?? [];
  const sandbox = all.map(({ path }) => /^\/proc\/(\d+)\/ns\//.exec(path ?? "")?.[1]).find(Boolean);
  return all.map((one) =>
    one.type === "pid" && !one.path && sandbox ? { ...one, path: `/proc/${sandbox}/ns/pid` } : one,
  );
}

function userOf({ process: { user }, annotations = {} }: BundleConfig) {
  const isAsked = annotations[annotationNames.runAsUser] === "true";
  if (isAsked || (user && user.uid !== 0)) return user;
  return { ...user, uid: nobody, gid: nobody };
}

function linuxOf(config: BundleConfig, network: boolean, arch: string) {
  const limit = memoryLimit(config);
  const { uid = nobody, gid = nobody } = userOf(config) ?? {};
  const { linux } = config;
  const devices: object[] | undefined = linux?.["devices"];
  const memory = { ...linux?.resources?.memory };
  if (limit !== undefined) {
    // What the module may have is kept by V8; the cgroup stands behind that.
    memory.limit = limit + runnerMemoryBytes;
    delete memory.swap;
  }
  return {
    ...linux,
    namespaces: namespacesOf(config),
    resources: { ...linux?.resources, memory },
    // Whoever the module is: what it was given is its own.
    ...(devices && { devices: devices.map((one: object) => ({ ...one, uid, gid })) }),
    seccomp: seccompProfile({ network, arch }),
  };
}

export interface BundleOptions {
  runner: Runner;
  /** The program's file on the machine. */
  program: string;
  /** Folder of the transpiled component on the machine. */
  component?: string;
  network: boolean;
  arch: string;
}

/** V8's, before it compiles anything. */
export function flagsOf({ annotations = {} }: Pick<BundleConfig, "annotations">): string[] {
  const isOptimized = annotations[annotationNames.compile] === "optimized";
  return isOptimized ? ["--no-liftoff", "--no-wasm-tier-up", "--no-wasm-lazy-compilation"] : [];
}

function argumentsOf(config: BundleConfig, { runner }: BundleOptions): string[] {
  const { libraries } = runner;
  const node = join(ownFolder, "node");
  const loader = libraries.find((file) => basename(file).startsWith("ld-"));
  const start = loader
    ? [join(ownFolder, sonameOf(loader)), "--library-path", ownFolder, node]
    : [node];
  return [
    ...start,
    "--disable-warning=ExperimentalWarning",
    "--no-addons",
    "--disable-sigusr1",
    ...flagsOf(config),
    join(codeFolder, runner.file),
    join(ownFolder, "program.json"),
  ];
}

export const componentFolder = join(ownFolder, "component");

function mountsOf(config: BundleConfig, { runner, program, component }: BundleOptions) {
  const mount = (source: string, destination: string) => ({
    destination,
    type: "bind",
    source,
    options: ["rbind", "ro", "nosuid", "nodev"],
  });
  const isKept = ({ destination }: BundleMount) =>
    destination !== "/sys" && !destination.startsWith("/sys/");
  return [
    ...(config.mounts ?? []).filter(isKept),
    mount(runner.executable, join(ownFolder, "node")),
    mount(runner.folder, codeFolder),
    mount(program, join(ownFolder, "program.json")),
    ...(component === undefined ? [] : [mount(component, componentFolder)]),
    ...runner.libraries.map((file) => mount(file, join(ownFolder, sonameOf(file)))),
  ];
}

export function wasmBundle(config: BundleConfig, options: BundleOptions): BundleConfig {
  const limit = descriptorsOf(options.network);
  const none = { bounding: [], effective: [], inheritable: [], permitted: [], ambient: [] };
  return {
    ...config,
    root: { path: "rootfs", ...config.root, readonly: true },
    process: {
      ...config.process,
      args: argumentsOf(config, options),
      cwd: "/",
      env: [],
      user: userOf(config),
      capabilities: none,
      noNewPrivileges: true,
      rlimits: [
        { type: "RLIMIT_NOFILE", hard: limit, soft: limit },
        { type: "RLIMIT_CORE", hard: 0, soft: 0 },
      ],
    },
    mounts: mountsOf(config, options),
    linux: linuxOf(config, options.network, options.arch),
  };
}
