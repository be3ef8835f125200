import { chmod, mkdir } from "node:fs/promises";
import { parseQuantity } from "../../lib/quantity.ts";
import { pageSizeOf } from "../machine/huge-pages.ts";
import { applyFsGroup } from "./ownership.ts";
import type { VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

export const emptyDir: VolumeType = {
  async prepare({ volume, pod, mounts, onDisk }) {
    const { medium = "", sizeLimit } = volume["emptyDir"];
    let fresh: boolean;
    if (medium === "Memory") {
      fresh = await mounts.tmpfs(onDisk, sizeLimit === undefined ? 0 : parseQuantity(sizeLimit));
    } else if (medium === "") {
      fresh = (await mkdir(onDisk, { recursive: true })) !== undefined;
    } else if (pageSizeOf(medium, pod)) {
      fresh = await mounts.hugePages(onDisk, pageSizeOf(medium, pod)!);
    } else throw new VolumeError(`emptyDir.medium ${JSON.stringify(medium)} is not supported`);
    // Its containers may have changed modes since.
    if (fresh) {
      await chmod(onDisk, 0o777);
      await applyFsGroup(onDisk, pod);
    }
    return { hostPath: onDisk };
  },
};
