// The two mounts the agent makes, by the machine's own tools.
import { mkdir, readFile } from "node:fs/promises";
import { runCommand } from "../lib/run-command.ts";

export interface Mounts {
  /**
   * Makes `path` a tmpfs and resolves with true, unless it is one already. `sizeBytes` 0 means half of
   * the memory.
   */
  tmpfs(path: string, sizeBytes: number): Promise<boolean>;
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
  async unmountBelow(path) {
    const below = (await mounted()).filter((one) => one === path || one.startsWith(`${path}/`));
    for (const one of below.reverse()) await runCommand("umount", ["-l", one]);
  },
};

/** Without root there are no mounts; plain folders stand in for them. */
export const noMounts: Mounts = {
  tmpfs: async (path) => (await mkdir(path, { recursive: true })) !== undefined,
  unmountBelow: async () => {},
};
