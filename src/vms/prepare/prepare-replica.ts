// The bundle of a pod that keeps a copy: its process is QEMU's storage daemon, in the same narrow place as QEMU.
import { chmodSync, chownSync, existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import { runCommand } from "../../lib/run-command.ts";
import { diskFile, taskPaths } from "../disks/task.ts";
import { launcherPaths, qemuUser } from "../domain.ts";
import { socketNames } from "../qemu/launch.ts";
import { mountSource, qemuBundle } from "./bundle.ts";
import type { BundleConfig } from "./bundle.ts";
import { loadedFiles } from "./loaded-files.ts";

export const storageDaemon = "/usr/bin/qemu-storage-daemon";
export const replicaFile = join(taskPaths.target, diskFile);

export const replicaArguments = (run: string) => [
  storageDaemon,
  ...["--chardev", `socket,id=control,path=${join(run, socketNames.control)},server=on,wait=off`],
  ...["--monitor", "chardev=control"],
];

export async function replicaBundle(config: BundleConfig): Promise<BundleConfig> {
  if (!existsSync(storageDaemon)) throw new Error(`this node has no ${storageDaemon}`);
  const run = mountSource(config, launcherPaths.run);
  if (!run) throw new Error(`nothing is mounted at ${launcherPaths.run}`);
  chmodSync(run, 0o700);
  chownSync(run, qemuUser, qemuUser);
  // Of a daemon that was killed.
  rmSync(join(run, socketNames.control), { force: true });
  const libraries = loadedFiles(await runCommand("ldd", [storageDaemon]));
  return qemuBundle(config, {
    args: replicaArguments(launcherPaths.run),
    user: qemuUser,
    files: [storageDaemon, ...libraries],
    devices: [],
  });
}
