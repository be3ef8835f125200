// The mounts the agent makes, by the machine's own tools.
import { mkdir, readFile, readlink, rm, writeFile } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { dirname, relative } from "node:path";
import { runCommand } from "../../lib/run-command.ts";
import { noLoops, systemLoops } from "./loop-devices.ts";
import type { LoopDevices } from "./loop-devices.ts";
import type { FileSystem } from "../runtime.ts";

export interface Mounts {
  /**
   * Makes `path` a tmpfs and resolves with true, unless it is one already. `sizeBytes` 0 means half of
   * the memory.
   */
  tmpfs(path: string, sizeBytes: number): Promise<boolean>;
  /** Shows `files` at `path`, unless something is mounted there already. */
  mount(path: string, files: FileSystem): Promise<void>;
  /** Mounts the file system on a device, to be written to, unless something is mounted there already. */
  mountDevice(path: string, device: string, fsType: string): Promise<void>;
  /**
   * Shows at `target` what is open as `file`, in place of what was shown there. Resolves with the path that
   * shows it.
   */
  bindOpen(target: string, file: FileHandle): Promise<string>;
  /** Makes mounts below the folder known to those whom it is shown to, and theirs to us. */
  share(folder: string): Promise<void>;
  loops: LoopDevices;
  /** The same of huge pages of one size, `2Mi`. */
  hugePages(path: string, pageSize: string): Promise<boolean>;
  /** Unmounts everything at and below `path`. */
  unmountBelow(path: string): Promise<void>;
}

/** Mount points in `/proc/self/mounts`, where spaces are written as `\040`. */
export const mountPoints = (table: string) =>
  table
    .split("\n")
    .map((line) => line.split(" ")[1] ?? "")
    .map((path) => path.replace(/\\(\d{3})/g, (_, code) => String.fromCharCode(parseInt(code, 8))))
    .filter(Boolean);

const mounted = async () => mountPoints(await readFile("/proc/self/mounts", "utf8"));

const lower = "lowerdir=";

/**
 * How `files` are mounted, and in which folder. The kernel takes a page of options at most, so layers that lie
 * side by side are named from where they lie. Pure.
 */
export function mountArguments(path: string, { type, source, options }: FileSystem) {
  const layers = options
    .find((option) => option.startsWith(lower))
    ?.slice(lower.length)
    .split(":");
  const cwd = layers && dirname(dirname(layers[0]!));
  const short = options.map((option) =>
    cwd && option.startsWith(lower)
      ? `${lower}${layers!.map((layer) => relative(cwd, layer)).join(":")}`
      : option,
  );
  const isBind = short.some((option) => option === "bind" || option === "rbind");
  const all = isBind ? short : [...short, "ro"];
  return { args: ["-t", type, "-o", [...new Set(all)].join(","), source, path], cwd };
}

export const systemMounts: Mounts = {
  async tmpfs(path, sizeBytes) {
    await mkdir(path, { recursive: true });
    if ((await mounted()).includes(path)) return false;
    const size = sizeBytes > 0 ? `,size=${sizeBytes}` : "";
    await runCommand("mount", ["-t", "tmpfs", "-o", `noswap${size}`, "tmpfs", path]).catch(() =>
      runCommand("mount", ["-t", "tmpfs", "-o", `mode=0755${size}`, "tmpfs", path]),
    );
    return true;
  },
  async mount(path, files) {
    await mkdir(path, { recursive: true, mode: 0o755 });
    if ((await mounted()).includes(path)) return;
    const { args, cwd } = mountArguments(path, files);
    await runCommand("mount", args, "", cwd);
  },
  async mountDevice(path, device, fsType) {
    await mkdir(path, { recursive: true, mode: 0o755 });
    if ((await mounted()).includes(path)) return;
    await runCommand("mount", ["-t", fsType, "-o", "rw,noatime,discard", device, path]);
  },
  async bindOpen(target, file) {
    if ((await mounted()).includes(target)) await runCommand("umount", ["-l", target]);
    await rm(target, { force: true, recursive: true });
    await mkdir(dirname(target), { recursive: true, mode: 0o750 });
    if ((await file.stat()).isDirectory()) await mkdir(target, { mode: 0o750 });
    else await writeFile(target, "", { mode: 0o640 });
    // Without canonicalizing, since the name that it has now may be another's by then.
    const source = `/proc/${process.pid}/fd/${file.fd}`;
    await runCommand("mount", ["--no-canonicalize", "--bind", source, target]);
    return target;
  },
  async share(folder) {
    await mkdir(folder, { recursive: true });
    const lines = (await readFile("/proc/self/mountinfo", "utf8")).split("\n");
    const at = (line: string) => line.split(" ")[4] ?? "";
    const holds = (path: string) =>
      path === "/" || path === folder || folder.startsWith(`${path}/`);
    const [own] = lines
      .filter((line) => holds(at(line)))
      .sort((a, b) => at(b).length - at(a).length);
    if (own?.includes(" shared:")) return;
    if (!own || at(own) !== folder) await runCommand("mount", ["--bind", folder, folder]);
    await runCommand("mount", ["--make-rshared", folder]);
  },
  loops: systemLoops(),
  async hugePages(path, pageSize) {
    await mkdir(path, { recursive: true });
    if ((await mounted()).includes(path)) return false;
    const size = pageSize.replace(/i$/, "");
    await runCommand("mount", ["-t", "hugetlbfs", "-o", `pagesize=${size}`, "hugetlbfs", path]);
    return true;
  },
  async unmountBelow(path) {
    const below = (await mounted()).filter((one) => one === path || one.startsWith(`${path}/`));
    for (const one of below.reverse()) {
      await runCommand("umount", ["-l", one]).catch(async (error: unknown) => {
        // Unless another who ends the pod was here first.
        if ((await mounted()).includes(one)) throw error;
      });
    }
  },
};

/** Without root there are no mounts; plain folders stand in for them. */
export const noMounts: Mounts = {
  tmpfs: async (path) => (await mkdir(path, { recursive: true })) !== undefined,
  mount: async (path) => void (await mkdir(path, { recursive: true })),
  mountDevice: async (path) => void (await mkdir(path, { recursive: true })),
  bindOpen: (_target, file) => readlink(`/proc/self/fd/${file.fd}`),
  share: async () => {},
  loops: noLoops,
  hugePages: async (path) => (await mkdir(path, { recursive: true })) !== undefined,
  unmountBelow: async () => {},
};
