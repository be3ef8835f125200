// The bundle of a disk's pod: its process is the program `vm-disk`, in the same narrow place as QEMU.
import { chownSync, existsSync, statSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import { taskPaths } from "../disks/task.ts";
import type { DiskTask } from "../disks/task.ts";
import { fallocate } from "../disks/room-ahead.ts";
import { qemuImg, xz } from "../disks/settle-image.ts";
import { qemuUser } from "../domain.ts";
import { mountSource, qemuBundle } from "./bundle.ts";
import type { BundleConfig } from "./bundle.ts";
import { replicaBundle } from "./prepare-replica.ts";
import { withLibraries } from "./loaded-files.ts";

/** Sources find each other by their folders; the build puts all of the program into one file. */
function code() {
  const isBuilt = extname(import.meta.filename) === ".js";
  const folder = isBuilt ? join(import.meta.dirname, "vms") : resolve(import.meta.dirname, "../..");
  return { folder, file: join(folder, isBuilt ? "vm-disk.cjs" : "vms/vm-disk.ts") };
}

export async function taskBundle(
  config: BundleConfig,
  { task, directory }: { task: string; directory: string },
): Promise<BundleConfig> {
  if ((JSON.parse(task) as DiskTask).kind === "replica") return replicaBundle(config);
  const tools = [process.execPath, qemuImg, xz, fallocate].filter((path) => existsSync(path));
  if (!tools.includes(qemuImg)) throw new Error("qemu-utils is not installed on this node");
  const loaded = await withLibraries(tools, join(directory, "disk-files.json"));
  const { folder, file } = code();
  for (const path of [taskPaths.target, taskPaths.scratch]) {
    const source = mountSource(config, path);
    if (source && statSync(source).isDirectory()) chownSync(source, qemuUser, qemuUser);
  }
  return qemuBundle(config, {
    args: [process.execPath, "--disable-warning=ExperimentalWarning", file, task],
    user: qemuUser,
    files: [...loaded, folder],
    devices: [],
  });
}
