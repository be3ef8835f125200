// Which pods of disks are processes that waited for their task, without containerd, and what such a process is told and
// shown: what the bundle of the others has (`prepare/prepare-task.ts`). It is most of them, since to make a container
// takes as long as to fetch half a gigabyte.
import { chownSync, statSync } from "node:fs";
import { extname, join, resolve } from "node:path";
import type { ProcessPlan, ProcessPrograms, RunnerKind } from "../../node/process-programs.ts";
import type { ContainerConfig, SandboxConfig } from "../../node/runtime.ts";
import { qemuUser, runtimeClass } from "../domain.ts";
import { withLibraries } from "../prepare/loaded-files.ts";
import { fallocate } from "./room-ahead.ts";
import { qemuImg, xz } from "./settle-image.ts";
import { taskAnnotation, taskFolder, taskPaths } from "./task.ts";
import type { DiskTask } from "./task.ts";

const kind: RunnerKind = {
  ...{ uid: qemuUser, gid: qemuUser, groups: [qemuUser] },
  ...{ program: "disk", network: true },
};

/** Whose folders are found by their containers. */
const held: ReadonlySet<DiskTask["kind"]> = new Set(["serve", "replica"]);

const taskIn = ({ annotations }: Pick<SandboxConfig, "annotations">): string | undefined =>
  annotations[taskAnnotation];

const isVolume = (path: string) => resolve("/", path).startsWith(`${taskFolder}/`);

/** A device is given by a container's cgroup. Pure. */
function suits(config: SandboxConfig): boolean {
  const { handler, containers = [], hostNetwork, hostPid, hostIpc } = config;
  const [only, ...others] = containers;
  const task = taskIn(config);
  if (handler !== runtimeClass.handler || task === undefined || !only) return false;
  const { kind: what, block } = JSON.parse(task) as DiskTask;
  const mounts: { mountPath: string }[] = only["volumeMounts"] ?? [];
  return (
    !held.has(what) &&
    !block &&
    others.length === 0 &&
    !only["volumeDevices"]?.length &&
    !only["resources"]?.claims?.length &&
    mounts.every(({ mountPath }) => isVolume(mountPath)) &&
    !(hostNetwork || hostPid || hostIpc || config.shareProcessNamespace) &&
    !config.userNamespace &&
    Object.keys(config.sysctls).length === 0
  );
}

/** What the program writes to is its user's. */
function give({ containerPath, hostPath }: { containerPath: string; hostPath: string }) {
  const isOwn = [taskPaths.target, taskPaths.scratch].includes(containerPath as never);
  if (isOwn && statSync(hostPath).isDirectory()) chownSync(hostPath, qemuUser, qemuUser);
}

async function plan(config: ContainerConfig, sandbox: SandboxConfig): Promise<ProcessPlan> {
  const task = taskIn(sandbox);
  if (task === undefined) throw new Error(`the pod has no annotation ${taskAnnotation}`);
  const volumes = config.mounts.filter(({ containerPath }) => isVolume(containerPath));
  for (const mount of volumes) give(mount);
  return {
    ...{ kind, imageName: config.image, program: { task }, files: [] },
    volumes: volumes.map(({ hostPath, containerPath, readOnly }) => ({
      ...{ source: hostPath, path: resolve("/", containerPath), readOnly },
    })),
    ownMemoryBytes: 0,
  };
}

export const diskPrograms: ProcessPrograms = {
  suits,
  plan,
  likelyKind: () => kind,
  kind: async () => kind,
  lackImages: async () => false,
};

/** Sources find each other by their folders; the build puts all of the program into one file. */
export function diskProgram() {
  const isBuilt = extname(import.meta.filename) === ".js";
  const folder = isBuilt ? join(import.meta.dirname, "vms") : resolve(import.meta.dirname, "../..");
  return { folder, file: isBuilt ? "vm-disk.cjs" : "vms/vm-disk.ts" };
}

/** The machine's programs that it starts, and what they load. `directory` is Kerb's of machines. */
export const diskTools = (directory: string) =>
  withLibraries([qemuImg, xz, fallocate], join(directory, "disk-tools.json"));
