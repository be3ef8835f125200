// What a runner is shown of a container: its log, its last words, the pod's hosts and resolver, the module, volumes.
// Files are second names of what lies on the same disk; folders of volumes are mounts, so that they stay alive.
import {
  chownSync,
  closeSync,
  copyFileSync,
  linkSync,
  mkdirSync,
  openSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join, resolve } from "node:path";
import type { ProcessPlan } from "../../node/process-programs.ts";
import type { ContainerConfig, SandboxConfig } from "../../node/runtime.ts";
import type { Kernel } from "./kernel.ts";
import type { Places } from "./places.ts";
import { names } from "./container-program.ts";
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

interface Given {
  plan: Pick<ProcessPlan, "files" | "volumes">;
  config: ContainerConfig;
  sandbox: SandboxConfig;
}

/** Resolves with where something was mounted, in order; what was mounted when it throws is undone. */
export function showFiles(
  { places, kernel }: FilesOptions,
  shown: Shown,
  { plan, config, sandbox }: Given,
): string[] {
  const { id } = shown;
  openLog({ places }, shown);
  const hosts = hostsOf(config);
  if (hosts) copyFileSync(hosts, places.shared(id, names.hosts));
  writeFileSync(places.shared(id, names.resolvConf), resolverOf(sandbox.dns));
  for (const { source, name } of plan.files) {
    mkdirSync(dirname(places.shared(id, name)), { recursive: true, mode: 0o755 });
    linkSync(source, places.shared(id, name));
  }
  return showMounts({ places, kernel }, id, mountsOf(config, plan.volumes));
}

interface ShownMount {
  source: string;
  /** In the shared folder. */
  path: string;
  readOnly: boolean;
}

/** Volumes, and where last words go. */
function mountsOf({ mounts }: ContainerConfig, volumes: ProcessPlan["volumes"]): ShownMount[] {
  const lastWords = mounts
    .filter(({ hostPath }) => hostPath.endsWith(".termination"))
    .map(({ hostPath, containerPath }) => ({
      ...{ source: hostPath, path: resolve("/", containerPath) },
      readOnly: false,
    }));
  const all = [...lastWords, ...volumes];
  if (!standApart(all.map(({ path }) => path)))
    throw new Error("a volume within another cannot be shown to this container");
  return all.map((one) => ({ ...one, path: join(names.volumes, one.path) }));
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
