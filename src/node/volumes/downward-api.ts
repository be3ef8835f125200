import { writeAtomically } from "./atomic-writer.ts";
import { downwardFiles } from "./projected-files.ts";
import { fsGroupOf } from "./ownership.ts";
import type { VolumeType } from "./volume.ts";

export const downwardApi: VolumeType = {
  live: true,
  async prepare(context) {
    const { items = [], defaultMode = 0o644 } = context.volume["downwardAPI"];
    const files = downwardFiles(context, items, defaultMode);
    writeAtomically(context.onDisk, files, fsGroupOf(context.pod));
    return { hostPath: context.onDisk, readOnly: true };
  },
};
