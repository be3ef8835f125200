// The files of an image, read only. The view belongs to the pod: it keeps the image's layers while the pod is
// there, whatever becomes of the image's name, and is found again after a reboot without asking a registry.
import type { VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

export const image: VolumeType = {
  async prepare({ volume, pod, runtime, mounts, pull, hold, onDisk }) {
    const { reference = "", pullPolicy } = volume["image"];
    if (reference === "") throw new VolumeError(`volume ${volume.name}: image.reference is empty`);
    const key = `${pod.metadata.uid}/${volume.name}`;
    await hold({ key });
    let view = await runtime.viewOf(key);
    if (!view) {
      const wanted = { image: reference, ...(pullPolicy && { imagePullPolicy: pullPolicy }) };
      await pull(wanted);
      view = await runtime.viewImage(key, reference);
    }
    await mounts.mount(onDisk, view);
    return { hostPath: onDisk, readOnly: true, isReadOnlyInside: true };
  },
  release: ({ runtime }, { key }) => runtime.dropView(key as string),
};
