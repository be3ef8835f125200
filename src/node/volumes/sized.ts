// A local volume of files that has a size of its own: a file system in a sparse file, mounted where its pods find
// it. What is full is that file system and not the node's disk.
import { existsSync } from "node:fs";
import { chmod, rename, rm } from "node:fs/promises";
import { runCommand } from "../../lib/run-command.ts";
import { growFile } from "./block.ts";
import type { Mounts } from "../machine/mounts.ts";
import type { VolumeContext } from "./volume.ts";
import { VolumeError } from "./volume.ts";

/** Where the file's content is mounted, for all pods of the node. */
export const mountedAt = (path: string) => `${path}.mounted`;

/** The name is there once the whole is. */
async function make(path: string, bytes: number) {
  const unfinished = `${path}.new`;
  await rm(unfinished, { force: true });
  await growFile(unfinished, bytes);
  await runCommand("mkfs.ext4", ["-q", "-F", "-m", "0", unfinished]).catch((error: Error) => {
    throw new VolumeError(`no file system of ${bytes} bytes can be made: ${error.message}`);
  });
  await rename(unfinished, path);
}

const fill = (target: string) => runCommand("resize2fs", [target]);

/** While nobody has it mounted. */
async function growAtRest(path: string, bytes: number) {
  await growFile(path, bytes);
  await fill(path).catch(async () => {
    // It wants to be checked first; what that says of its own repairs is no failure.
    await runCommand("e2fsck", ["-f", "-p", path]).catch(() => {});
    await fill(path);
  });
}

/**
 * Under its pods. Kernels ask for CAP_SYS_RESOURCE, without which it rejects, and the volume grows when it is
 * mounted next.
 */
export async function growMounted({ loops }: Pick<Mounts, "loops">, { path, bytes }: SizedSource) {
  await growFile(path, bytes);
  const device = await loops.find(path);
  if (!device) return growAtRest(path, bytes);
  await loops.resize(path);
  await fill(device);
}

export interface SizedSource {
  path: string;
  bytes: number;
}

/** Resolves with the folder that shows the volume. */
export async function sizedVolume(
  { mounts, hold }: Pick<VolumeContext, "mounts" | "hold">,
  { path, bytes }: SizedSource,
): Promise<string> {
  const { loops } = mounts;
  const place = mountedAt(path);
  return loops.inTurn(async () => {
    const isNew = !existsSync(path);
    await hold({ loop: path, mounted: place });
    if (isNew) await make(path, bytes);
    else if (!(await loops.find(path))) await growAtRest(path, bytes);
    await mounts.mountDevice(place, await loops.attach(path), "ext4");
    if (isNew) await chmod(place, 0o777);
    return place;
  });
}
