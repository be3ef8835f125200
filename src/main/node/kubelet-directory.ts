// Where others' plugins look for a node: the kubelet's own folder, unless somebody answers there already.
import { readFile } from "node:fs/promises";
import { connect } from "node:net";
import { join } from "node:path";
import { runCommand } from "../../lib/run-command.ts";
import type { Log } from "../../lib/log.ts";
import { isRoot } from "../config.ts";

export const usualKubelet = "/var/lib/kubelet";

const answers = (path: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(path);
    const told = (is: boolean) => {
      socket.destroy();
      resolve(is);
    };
    socket.once("connect", () => told(true));
    socket.once("error", () => told(false));
  });

export async function kubeletDirectoryOf(directory: string, log: Log): Promise<string> {
  const own = join(directory, "kubelet");
  if (!isRoot) return own;
  if (!(await answers(join(usualKubelet, "device-plugins/kubelet.sock")))) return usualKubelet;
  log.warn(
    "another node answers device plugins on this machine; plugins of this site go elsewhere",
    {
      usual: usualKubelet,
      directory: own,
    },
  );
  return own;
}

/**
 * Whether a folder is mounted over itself, as a node does it, by the text of `/proc/self/mountinfo`: a disk of its
 * own shows its root there, and a folder from elsewhere another path. Pure.
 */
export function isMountedOverItself(path: string, mountinfo: string): boolean {
  const lines = mountinfo.split("\n").map((line) => line.split(" "));
  const [, , , root = "/"] = lines.findLast(([, , , , target]) => target === path) ?? [];
  return root !== "/" && path.endsWith(root);
}

/** Takes back that mounts below the kubelet's own folder are shared, once no node answers there. */
export async function unshareKubelet() {
  if (await answers(join(usualKubelet, "device-plugins/kubelet.sock"))) return;
  if (!isMountedOverItself(usualKubelet, await readFile("/proc/self/mountinfo", "utf8"))) return;
  await runCommand("umount", ["--lazy", usualKubelet]).catch(() => {});
}
