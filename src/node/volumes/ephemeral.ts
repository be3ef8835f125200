// A claim that was made for this pod and goes with it (generic ephemeral volumes).
import { prepareClaim, releaseClaim } from "./persistent-volume-claim.ts";
import type { VolumeType } from "./volume.ts";

export const ephemeral: VolumeType = {
  prepare: (context) => {
    const { pod, volume } = context;
    const claimName = `${pod.metadata.name}-${volume.name}`;
    return prepareClaim(context, { claimName, readOnly: false, ownerUid: pod.metadata.uid });
  },
  release: releaseClaim,
};
