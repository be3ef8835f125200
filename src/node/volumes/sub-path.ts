// A path below a volume that cannot lead out of it, whatever links the volume holds.
import { mkdir, realpath } from "node:fs/promises";
import { join, sep } from "node:path";
import { VolumeError } from "./volume.ts";

const within = (root: string, path: string) => path === root || path.startsWith(root + sep);

/** Resolves with the real path; makes missing folders unless told not to. */
export async function subPathIn(
  volume: string,
  subPath: string,
  { mayMake = true } = {},
): Promise<string> {
  const parts = subPath.split("/").filter((part) => part !== "" && part !== ".");
  if (subPath.startsWith("/") || parts.includes("..")) {
    throw new VolumeError(
      `subPath ${JSON.stringify(subPath)} must not contain '..' or be absolute`,
    );
  }
  const root = await realpath(volume);
  let current = root;
  for (const part of parts) {
    const next = join(current, part);
    const real = await realpath(next).catch(async () => {
      if (!mayMake) {
        throw new VolumeError(`subPath ${JSON.stringify(subPath)} is not in its volume`);
      }
      await mkdir(next, { mode: 0o750 });
      return next;
    });
    if (!within(root, real)) {
      throw new VolumeError(`subPath ${JSON.stringify(subPath)} leads out of its volume`);
    }
    current = real;
  }
  return current;
}
