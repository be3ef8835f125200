import { chmod, mkdir } from "node:fs/promises";
import { parseQuantity } from "../../lib/quantity.ts";
import { applyFsGroup } from "./ownership.ts";
import type { VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

export const emptyDir: VolumeType = {
  async prepare({ volume, pod, mounts, onDisk }) {
    const { medium = "", sizeLimit } = volume["emptyDir"];
    if (medium === "Memory") {
      await mounts.tmpfs(onDisk, sizeLimit === undefined ? 0 : parseQuantity(sizeLimit));
    } else if (medium === "") await mkdir(onDisk, { recursive: true });
    else throw new VolumeError(`emptyDir.medium ${JSON.stringify(medium)} is not supported`);
    await chmod(onDisk, 0o777);
    await applyFsGroup(onDisk, pod);
    return { hostPath: onDisk };
  },
};
