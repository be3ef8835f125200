// Claims and volumes are born with a finalizer, so that they are not removed from under who uses them.
import type { Admission } from "../policy.ts";
import { isAbout } from "./refuse.ts";

const finalizers = {
  persistentvolumeclaims: "kubernetes.io/pvc-protection",
  persistentvolumes: "kubernetes.io/pv-protection",
};

export const storageProtection: Admission = {
  name: "StorageObjectInUseProtection",
  async mutate(request) {
    if (request.operation !== "CREATE") return;
    for (const [resource, finalizer] of Object.entries(finalizers)) {
      if (!isAbout(request, resource)) continue;
      const { metadata } = request.object!;
      if (metadata.finalizers?.includes(finalizer)) continue;
      metadata.finalizers = [...(metadata.finalizers ?? []), finalizer];
    }
  },
};
