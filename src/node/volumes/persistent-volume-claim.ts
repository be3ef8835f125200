// A claim that is bound to a hostPath or local volume of this node.
import { resource } from "../../client/client.ts";
import { isStatus } from "../../lib/status-error.ts";
import { hostPathVolume } from "./host-path.ts";
import { applyFsGroup } from "./ownership.ts";
import type { VolumeType } from "./volume.ts";
import { VolumeError } from "./volume.ts";

const claims = resource("v1", "persistentvolumeclaims");
const volumes = resource("v1", "persistentvolumes");

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
    const { spec } = await client.get({ ...volumes, name: claim.spec.volumeName });
    const path = spec.hostPath?.path ?? spec.local?.path;
    if (!path) {
      const type = Object.keys(spec).find((key) => spec[key]?.driver ?? spec[key]?.server) ?? "";
      throw new VolumeError(
        `persistent volume ${claim.spec.volumeName} has a type that is not supported: ${type}`,
      );
    }
    const made = await hostPathVolume(path, spec.hostPath?.type ?? "");
    await applyFsGroup(path, pod);
    return { ...made, readOnly };
  },
};
