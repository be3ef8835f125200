// A volume of mode Block: a device of the machine, or a file behind a loop device. The file of a local volume
// is made here, as sparse as the disk allows, and its size is the volume's own limit.
import { open, stat } from "node:fs/promises";
import type { Held } from "./held.ts";
import type { ReleaseContext, Volume, VolumeContext } from "./volume.ts";
import { VolumeError } from "./volume.ts";

/** Never makes it smaller. Resolves with true when it grew. */
export async function growFile(path: string, bytes: number): Promise<boolean> {
  const file = await open(path, "a", 0o600);
  try {
    const { size } = await file.stat();
    if (size >= bytes) return false;
    await file.truncate(bytes);
    await file.sync();
    return true;
  } finally {
    await file.close();
  }
}

export interface BlockSource {
  path: string;
  /** Made and sized here, in bytes; absent for a path that somebody else keeps. */
  bytes?: number;
  readOnly: boolean;
}

export async function blockVolume(
  { mounts: { loops }, hold }: Pick<VolumeContext, "mounts" | "hold">,
  { path, bytes, readOnly }: BlockSource,
): Promise<Volume> {
  if (bytes !== undefined && (await growFile(path, bytes))) await loops.resize(path);
  const stats = await stat(path).catch(() => undefined);
  if (!stats) throw new VolumeError(`path "${path}" does not exist`);
  if (stats.isBlockDevice()) return { hostPath: path, device: path, readOnly };
  if (!stats.isFile()) throw new VolumeError(`${path} is neither a block device nor a file`);
  return loops.inTurn(async () => {
    await hold({ loop: path });
    return { hostPath: path, device: await loops.attach(path), readOnly };
  });
}

/** The device goes with the last pod that holds it. */
export async function releaseLoop(context: ReleaseContext, { loop, mounted }: Held) {
  if (typeof loop !== "string") return;
  const { mounts, isHeldByOthers } = context;
  const { loops } = mounts;
  await loops.inTurn(async () => {
    if (await isHeldByOthers((other) => other["loop"] === loop)) return;
    if (typeof mounted === "string") await mounts.unmountBelow(mounted);
    await loops.detach(loop);
  });
}
