// The folder of network namespaces, which containerd shares with `ip netns`. The first `ip netns add` on a
// machine mounts the folder over itself, and what was mounted in it before can then neither be seen nor be
// removed: pods that were there would never end. So it is mounted so before the first pod, and where
// somebody was faster, a namespace is freed from a look at the mounts below.
import { mkdirSync, readFileSync } from "node:fs";
import { runCommand } from "../lib/run-command.ts";

const folder = "/run/netns";

const mountPoints = () =>
  readFileSync("/proc/self/mountinfo", "utf8")
    .split("\n")
    .map((line) => line.split(" ")[4] ?? "");

/** Does nothing once namespaces lie in it. */
export async function shareNamespaceFolder() {
  mkdirSync(folder, { recursive: true });
  if (mountPoints().some((path) => path === folder || path.startsWith(`${folder}/`))) return;
  await runCommand("mount", ["--bind", folder, folder]);
  await runCommand("mount", ["--make-shared", folder]);
}

/** The hidden namespace that an error of containerd's tells of. Pure. */
export const busyNamespace = (message: string) =>
  /unlinkat \/(?:var\/)?run\/netns\/([\w-]+): device or resource busy/.exec(message)?.[1];

/** Removing it where it can be seen removes it everywhere; nothing else changes for anybody. */
export async function freeNamespace(name: string) {
  const path = `${folder}/${name}`;
  const script = `umount -l ${folder}; umount -l ${path}; rm ${path}`;
  await runCommand("unshare", ["--mount", "--propagation", "private", "sh", "-c", script]);
}
