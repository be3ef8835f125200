// Where the agent keeps what pods need on the host. Everything of a pod lies below its uid, so removing a
// pod's traces is removing its folders.
import { join } from "node:path";
import { logFolder } from "./pods/pod.ts";
import type { Pod } from "./pods/pod.ts";

export interface Directories {
  root: string;
  /** On tmpfs: Secrets and tokens never reach the disk. */
  memory: string;
  logs: string;
}

export const directoriesIn = (root: string): Directories => ({
  root,
  memory: join(root, "memory"),
  logs: join(root, "logs"),
});

export const podDirectory = ({ root }: Directories, uid: string) => join(root, "pods", uid);

/** Parts of volumes as they are shown to containers. */
export const subPathDirectory = (directories: Directories, uid: string) =>
  join(podDirectory(directories, uid), "subpaths");

export const memoryDirectory = ({ memory }: Directories, uid: string) => join(memory, uid);

export const logDirectory = ({ logs }: Directories, pod: Pod) => join(logs, logFolder(pod));

/** Relative to the pod's log directory. */
export const logPath = (container: string, attempt: number) => join(container, `${attempt}.log`);

/** Below which the volumes of claims lie, one folder each. They outlive pods. */
export const localVolumesDirectory = (root: string) => join(root, "volumes");
