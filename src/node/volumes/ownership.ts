// fsGroup: a volume's files belong to the pod's group, and folders hand the group on.
import { chmod, chown, lstat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Pod } from "../pods/pod.ts";

export const fsGroupOf = (pod: Pod): number | undefined => pod.spec["securityContext"]?.fsGroup;

async function own(path: string, group: number) {
  const { mode, uid } = await lstat(path);
  const kind = mode & 0o170000;
  if (kind === 0o120000) return;
  const folder = kind === 0o040000;
  await chown(path, uid, group);
  await chmod(path, (mode & 0o7777) | (folder ? 0o2070 : 0o060));
  if (!folder) return;
  for (const name of await readdir(path)) await own(join(path, name), group);
}

/** Does nothing when the folder itself has the group already (fsGroupChangePolicy OnRootMismatch too). */
export async function applyFsGroup(path: string, pod: Pod) {
  const group = fsGroupOf(pod);
  if (group === undefined || (await lstat(path)).gid === group) return;
  await own(path, group);
}
