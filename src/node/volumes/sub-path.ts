// A path below a volume that cannot lead out of it, whatever links the volume holds and whoever changes them
// meanwhile. Each folder is opened from the one before it without following links, and what was found last is
// bound to a place of the pod's own, so that nothing is looked up by name again.
import { chmod, constants, mkdir, open, realpath } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { VolumeError } from "./volume.ts";

/** O_PATH of Linux: a place, without the right to read it. */
const oPath = 0o10000000;

export class NotInVolume extends VolumeError {}

const within = (root: string, path: string) => path === root || path.startsWith(root + sep);
const quote = (text: string) => JSON.stringify(text);

/** Its path within this process, from which the kernel goes on without looking at names. */
const placeOf = ({ fd }: FileHandle) => `/proc/self/fd/${fd}`;

const openIn = (folder: FileHandle, name: string) =>
  open(join(placeOf(folder), name), oPath | constants.O_NOFOLLOW);

/** With `mode` what is missing is made. */
async function step(folder: FileHandle, name: string, mode?: number): Promise<FileHandle> {
  try {
    return await openIn(folder, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "ENOENT" || mode === undefined) throw error;
  }
  // Somebody else may have made it since.
  const isMade = await mkdir(join(placeOf(folder), name)).then(
    () => true,
    () => false,
  );
  const made = await openIn(folder, name);
  if (isMade && (await made.stat()).isDirectory()) await chmod(placeOf(made), mode);
  return made;
}

/** The real path of what exists of it, with what does not behind. */
async function resolved(root: string, parts: string[]): Promise<string> {
  let current = root;
  for (const [i, part] of parts.entries()) {
    const real = await realpath(join(current, part)).catch(() => undefined);
    if (real === undefined) return join(current, ...parts.slice(i));
    if (!within(root, real)) return real;
    current = real;
  }
  return current;
}

export interface SubPathOptions {
  /** Makes folders that are missing, for whom the volume is for; default true. */
  mayMake?: boolean;
}

/** Opens the place; whoever asked closes it. */
export async function openSubPath(
  volume: string,
  subPath: string,
  { mayMake = true }: SubPathOptions = {},
): Promise<FileHandle> {
  const parts = subPath.split("/").filter((part) => part !== "" && part !== ".");
  if (subPath.startsWith("/") || parts.includes("..")) {
    throw new VolumeError(`subPath ${quote(subPath)} must not contain '..' or be absolute`);
  }
  const root = await realpath(volume);
  const path = await resolved(root, parts);
  const leadsOut = new VolumeError(`subPath ${quote(subPath)} leads out of its volume`);
  if (!within(root, path)) throw leadsOut;
  let place = await open(root, oPath | constants.O_NOFOLLOW);
  const mode = mayMake ? (await place.stat()).mode & 0o7777 : undefined;
  for (const name of relative(root, path).split(sep).filter(Boolean)) {
    const folder = place;
    try {
      place = await step(folder, name, mode);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      if (code === "ENOENT")
        throw new NotInVolume(`subPath ${quote(subPath)} is not in its volume`);
      throw error;
    } finally {
      await folder.close();
    }
    if (!(await place.stat()).isSymbolicLink()) continue;
    await place.close();
    throw leadsOut;
  }
  return place;
}
