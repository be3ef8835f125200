// Devices by the Container Device Interface: vendors describe in files on the machine what a container needs to
// use a device, and others name it as `VENDOR/CLASS=DEVICE`. Containerd before 1.7 does not read these files, so
// the node does.
// https://github.com/cncf-tags/container-device-interface/blob/main/SPEC.md
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse } from "yaml";
import { ConfigError } from "../pods/config-error.ts";
import type { ContainerConfig, Mount } from "../runtime.ts";

/** What is in the later wins. */
export const cdiDirectories = ["/etc/cdi", "/var/run/cdi"];

interface Edits {
  env?: string[];
  deviceNodes?: { path: string; hostPath?: string; permissions?: string }[];
  mounts?: { hostPath: string; containerPath: string; options?: string[]; type?: string }[];
  [other: string]: unknown;
}

interface Spec {
  kind: string;
  devices: { name: string; containerEdits?: Edits }[];
  containerEdits?: Edits;
}

/** Edits that a container here can have. */
const known = new Set(["env", "deviceNodes", "mounts"]);

interface Folder {
  specs: Spec[];
  /** Of files that cannot be read, which are no other device's business. */
  faults: string[];
}

async function specsIn(directory: string): Promise<Folder> {
  const names = await readdir(directory).catch(() => [] as string[]);
  const files = names.filter((name) => /\.(json|ya?ml)$/.test(name)).sort();
  const folder: Folder = { specs: [], faults: [] };
  for (const name of files) {
    try {
      folder.specs.push(parse(await readFile(join(directory, name), "utf8")));
    } catch (error) {
      folder.faults.push(`${join(directory, name)}: ${(error as Error).message}`);
    }
  }
  return folder;
}

/** The edits for a device, those of its whole kind first. */
function editsFor(name: string, folders: Folder[]): Edits[] {
  const [kind, device] = name.split("=");
  for (const { specs } of folders.toReversed()) {
    const found = specs.flatMap((spec) =>
      spec?.kind === kind
        ? (spec.devices ?? []).filter((one) => one.name === device).map((one) => ({ spec, one }))
        : [],
    );
    if (found.length > 1) throw new ConfigError(`CDI device ${name} is described twice`);
    const [{ spec, one } = {}] = found;
    if (spec && one) return [spec.containerEdits ?? {}, one.containerEdits ?? {}];
  }
  const [fault] = folders.flatMap(({ faults }) => faults);
  const why = fault === undefined ? "" : ` (${fault})`;
  throw new ConfigError(`CDI device injection failed: unresolvable CDI devices ${name}${why}`);
}

function propagationOf(options: string[]): Mount["propagation"] {
  if (options.includes("rshared") || options.includes("shared")) return "Bidirectional";
  return options.includes("rslave") || options.includes("slave") ? "HostToContainer" : "None";
}

function edit(config: ContainerConfig, edits: Edits, name: string) {
  for (const [what, value] of Object.entries(edits)) {
    const says = Array.isArray(value) ? value.length > 0 : value !== undefined && value !== null;
    if (says && !known.has(what)) {
      throw new ConfigError(`CDI device ${name} asks for ${what}, which this node does not give`);
    }
  }
  for (const text of edits.env ?? []) {
    const equals = text.indexOf("=");
    const [key, value] = [text.slice(0, equals), text.slice(equals + 1)];
    config.env = [...config.env.filter((one) => one.name !== key), { name: key, value }];
  }
  for (const { path, hostPath = path, permissions = "rwm" } of edits.deviceNodes ?? []) {
    const others = config.devices.filter((one) => one.containerPath !== path);
    config.devices = [...others, { containerPath: path, hostPath, permissions }];
  }
  for (const { containerPath, hostPath, options = [], type = "bind" } of edits.mounts ?? []) {
    if (type !== "bind" && type !== "") {
      throw new ConfigError(`CDI device ${name} asks for a mount of type ${type}`);
    }
    const others = config.mounts.filter((one) => one.containerPath !== containerPath);
    const readOnly = options.includes("ro");
    const mount = { containerPath, hostPath, readOnly, propagation: propagationOf(options) };
    config.mounts = [...others, mount];
  }
}

/** The container with the devices of these names; each name counts once. Throws ConfigError. */
export async function withCdiDevices(
  config: ContainerConfig,
  names: readonly string[],
  directories: readonly string[] = cdiDirectories,
): Promise<ContainerConfig> {
  if (names.length === 0) return config;
  const folders = await Promise.all(directories.map(specsIn));
  const edited = { ...config };
  const done = new Set<Edits>();
  for (const name of new Set(names)) {
    for (const edits of editsFor(name, folders)) {
      if (!done.has(edits)) edit(edited, edits, name);
      done.add(edits);
    }
  }
  return edited;
}
