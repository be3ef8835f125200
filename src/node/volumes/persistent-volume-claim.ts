// A claim that is bound to a hostPath or local volume of this node.
import { existsSync } from "node:fs";
import { chmod, mkdir } from "node:fs/promises";
import { resource } from "../../client/client.ts";
import { localVolumes } from "../../lib/local-volumes.ts";
import { isStatus } from "../../lib/status-error.ts";
import { hostPathVolume } from "./host-path.ts";
import { applyFsGroup } from "./ownership.ts";
import type { VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

const claims = resource("v1", "persistentvolumeclaims");
const volumes = resource("v1", "persistentvolumes");

/** Any user of any pod may write into the folder of a volume, whatever its own umask says. */
async function makeLocal(path: string) {
  if (existsSync(path)) return;
  await mkdir(path, { recursive: true, mode: 0o700 });
  await chmod(path, 0o777);
}

export const persistentVolumeClaim: VolumeType = {
  async prepare({ volume, pod, client }) {
    const { claimName: name, readOnly = false } = volume["persistentVolumeClaim"];
    const { namespace } = pod.metadata;
    const claim = await client.get({ ...claims, namespace, name }).catch((error) => {
      if (isStatus(error, "NotFound")) {
        throw new VolumeError(`persistentvolumeclaim "${name}" not found`);
      }
      throw error;
    });
    if (claim.status?.phase !== "Bound" || !claim.spec.volumeName) {
      throw new VolumeError(`PVC ${namespace}/${name} is not bound`);
    }
    const { spec, metadata } = await client.get({ ...volumes, name: claim.spec.volumeName });
    const path = spec.hostPath?.path ?? spec.local?.path;
    if (!path) {
      const type = Object.keys(spec).find((key) => spec[key]?.driver ?? spec[key]?.server) ?? "";
      throw new VolumeError(
        `persistent volume ${claim.spec.volumeName} has a type that is not supported: ${type}`,
      );
    }
    const isOurs = metadata.finalizers?.includes(localVolumes.finalizer) ?? false;
    if (isOurs) await makeLocal(path);
    else if (spec.local && !existsSync(path))
      throw new VolumeError(`path "${path}" does not exist`);
    const made = await hostPathVolume(path, spec.hostPath?.type ?? "");
    await applyFsGroup(path, pod);
    return { ...made, readOnly };
  },
};
