import { writeAtomically } from "./atomic-writer.ts";
import { keyedFiles } from "./projected-files.ts";
import { fsGroupOf } from "./ownership.ts";
import type { VolumeType } from "./volume.ts";

/** In memory only. */
export const secret: VolumeType = {
  live: true,
  async prepare(context) {
    const { secretName: name, items, optional, defaultMode = 0o644 } = context.volume["secret"];
    const files = keyedFiles(context, { kind: "secret", name, items, optional, defaultMode });
    writeAtomically(context.inMemory, files, fsGroupOf(context.pod));
    return { hostPath: context.inMemory, readOnly: true };
  },
};
