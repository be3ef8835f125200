import { mkdir, open, stat } from "node:fs/promises";
import type { Stats } from "node:fs";
import type { Volume, VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

const checks: Record<string, [text: string, is: (stats: Stats) => boolean]> = {
  Directory: ["a directory", (stats) => stats.isDirectory()],
  DirectoryOrCreate: ["a directory", (stats) => stats.isDirectory()],
  File: ["a file", (stats) => stats.isFile()],
  FileOrCreate: ["a file", (stats) => stats.isFile()],
  Socket: ["a socket file", (stats) => stats.isSocket()],
  CharDevice: ["a character device", (stats) => stats.isCharacterDevice()],
  BlockDevice: ["a block device", (stats) => stats.isBlockDevice()],
};

const look = (path: string) => stat(path).catch(() => undefined);

/** A path of the host, checked as `type` asks. */
export async function hostPathVolume(path: string, type = ""): Promise<Volume> {
  let stats = await look(path);
  if (!stats && type === "DirectoryOrCreate") await mkdir(path, { recursive: true, mode: 0o755 });
  if (!stats && type === "FileOrCreate") await (await open(path, "a", 0o644)).close();
  stats ??= await look(path);
  const check = checks[type];
  if (check && !(stats && check[1](stats))) {
    throw new VolumeError(`hostPath type check failed: ${path} is not ${check[0]}`);
  }
  if (!stats) await mkdir(path, { recursive: true, mode: 0o755 });
  return { hostPath: path };
}

export const hostPath: VolumeType = {
  prepare: ({ volume }) => hostPathVolume(volume["hostPath"].path, volume["hostPath"].type),
};
