// What a runner is shown of a container: its log, its last words, the pod's hosts and resolver, the module, volumes.
// Files are second names of what lies on the same disk; folders of volumes are mounts, so that they stay alive.
import {
  chownSync,
  closeSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { ContainerConfig, SandboxConfig } from "../../node/runtime.ts";
import type { Kernel } from "./kernel.ts";
import type { Places } from "./places.ts";
import type { BundleMount } from "../bundle.ts";
import { names, shownVolumes } from "./container-program.ts";
import type { Planned } from "./container-program.ts";
import { standApart } from "./suits.ts";

interface FilesOptions {
  places: Places;
  kernel: Kernel;
}

export interface Shown {
  id: string;
  /** Of the runner. */
  uid: number;
  /** Whole path. */
  logPath: string;
}

/** Gives a container's log a file of that name, and its runner a way to it. */
export function openLog({ places }: Pick<FilesOptions, "places">, { id, uid, logPath }: Shown) {
  mkdirSync(dirname(logPath), { recursive: true });
  closeSync(openSync(logPath, "a", 0o640));
  chownSync(logPath, uid, -1);
  const seen = places.shared(id, names.log);
  rmSync(`${seen}.new`, { force: true });
  linkSync(logPath, `${seen}.new`);
  renameSync(`${seen}.new`, seen);
}

export const resolverOf = ({ servers, searches, options }: SandboxConfig["dns"]) =>
  [
    ...(searches.length > 0 ? [`search ${searches.join(" ")}`] : []),
    ...servers.map((server) => `nameserver ${server}`),
    ...(options.length > 0 ? [`options ${options.join(" ")}`] : []),
    "",
  ].join("\n");

const hostsOf = ({ mounts }: ContainerConfig) =>
  mounts.find(({ containerPath }) => containerPath === "/etc/hosts")?.hostPath;

/** Resolves with where something was mounted, in order; what was mounted when it throws is undone. */
export function showFiles(
  { places, kernel }: FilesOptions,
  shown: Shown,
  planned: Planned & { sandbox: SandboxConfig },
): string[] {
  const { id } = shown;
  const { config, sandbox, found, examined } = planned;
  openLog({ places }, shown);
  const hosts = hostsOf(config);
  if (hosts) copyFileSync(hosts, places.shared(id, names.hosts));
  writeFileSync(places.shared(id, names.resolvConf), resolverOf(sandbox.dns));
  linkSync(found.file, places.shared(id, names.module));
  if (examined.component) {
    const folder = places.shared(id, names.component);
    mkdirSync(folder, { mode: 0o755 });
    for (const name of readdirSync(examined.component))
      linkSync(join(examined.component, name), join(folder, name));
  }
  return showMounts({ places, kernel }, id, mountsOf(planned));
}

interface ShownMount {
  source: string;
  /** In the shared folder. */
  path: string;
  readOnly: boolean;
}

/** Volumes, and where last words go. */
function mountsOf(planned: Planned): ShownMount[] {
  const lastWords = planned.config.mounts
    .filter(({ hostPath }) => hostPath.endsWith(".termination"))
    .map(({ hostPath, containerPath }) => ({ source: hostPath, destination: containerPath }));
  const all: BundleMount[] = [...lastWords, ...shownVolumes(planned)];
  if (!standApart(all.map(({ destination }) => destination)))
    throw new Error("a volume within another cannot be shown to this module");
  return all.map(({ source = "", destination, options = [] }) => ({
    source,
    path: join(names.volumes, resolve("/", destination)),
    readOnly: options.includes("ro"),
  }));
}

function showMounts({ places, kernel }: FilesOptions, id: string, mounts: ShownMount[]): string[] {
  const mounted: string[] = [];
  try {
    for (const { source, path, readOnly } of mounts) {
      const place = places.shared(id, path);
      if (statSync(source).isDirectory()) mkdirSync(place, { recursive: true, mode: 0o755 });
      else {
        mkdirSync(dirname(place), { recursive: true, mode: 0o755 });
        closeSync(openSync(place, "a", 0o644));
      }
      const target = places.seen(id, path);
      kernel.show(source, target, { readOnly });
      mounted.push(target);
    }
    return mounted;
  } catch (error) {
    hideVolumes(kernel, mounted);
    throw error;
  }
}

/** Last mounted, first taken away. */
export function hideVolumes(kernel: Kernel, mounted: string[]) {
  for (const target of mounted.toReversed()) kernel.unmount(target);
}
