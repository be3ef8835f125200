import { writeAtomically } from "./atomic-writer.ts";
import { keyedFiles } from "./projected-files.ts";
import { fsGroupOf } from "./ownership.ts";
import type { VolumeType } from "./volume.ts";

export const configMap: VolumeType = {
  live: true,
  async prepare(context) {
    const { name, items, optional, defaultMode = 0o644 } = context.volume["configMap"];
    const files = keyedFiles(context, { kind: "configmap", name, items, optional, defaultMode });
    writeAtomically(context.onDisk, files, fsGroupOf(context.pod));
    return { hostPath: context.onDisk, readOnly: true };
  },
};
