// Which volumes of a machine a snapshot would hold, as its status says. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { claimNames } from "./data-volumes.ts";

/** `claim` finds one of its namespace. */
export function volumeSnapshotStatuses(
  { spec }: KubeObject,
  claim: (name: string) => KubeObject | undefined,
) {
  return (spec.template.spec.volumes ?? []).map((volume: any) => {
    const { name } = volume;
    const no = (reason: string) => ({ name, enabled: false, reason });
    const [claimName] = volume.ephemeral ? [] : claimNames({ volumes: [volume] });
    if (!claimName) return no(`Snapshot is not supported for this volumeSource type [${name}]`);
    const found = claim(claimName);
    if (!found) return no("PVC not found");
    if (found.spec.volumeMode === "Block") return no(`Snapshot is not supported for block volumes`);
    return { name, enabled: true };
  });
}
