// Two guests that write to one disk destroy it, so of two VMIs on one claim the second waits for the first. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { isFinal } from "../machine/run-strategy.ts";
import type { Failure } from "./conditions.ts";

interface Use {
  claim: string;
  writes: boolean;
  /** Whoever said so keeps the guests from harming each other. */
  shareable: boolean;
}

/** Claims that are disks of a guest; shared file systems mind their users themselves. */
function usesOf({ spec }: KubeObject): Use[] {
  const disks: any[] = spec.domain.devices?.disks ?? [];
  return (spec.volumes ?? []).flatMap((volume: any): Use[] => {
    const { name, persistentVolumeClaim, dataVolume, ephemeral } = volume;
    const layered = ephemeral?.persistentVolumeClaim;
    const claim = persistentVolumeClaim?.claimName ?? dataVolume?.name ?? layered?.claimName;
    const disk = disks.find((one) => one.name === name);
    if (!claim || !disk) return [];
    const isRead = layered ?? persistentVolumeClaim?.readOnly ?? disk.cdrom ?? disk.disk?.readonly;
    return [{ claim, writes: !isRead, shareable: Boolean(disk.shareable) }];
  });
}

const conflict = (a: Use, b: Use) =>
  a.claim === b.claim && (a.writes || b.writes) && !(a.shareable && b.shareable);

const hasBegun = ({ status }: KubeObject) => !["", "Pending"].includes(status?.phase ?? "");

/** Why a VMI cannot have its claims yet; `others` are VMIs of its namespace. */
export function claimConflict(vmi: KubeObject, others: KubeObject[]): Failure | undefined {
  const wanted = usesOf(vmi);
  for (const other of others) {
    if (other.metadata.uid === vmi.metadata.uid || isFinal(other) || !hasBegun(other)) continue;
    const theirs = usesOf(other);
    const use = wanted.find((one) => theirs.some((two) => conflict(one, two)));
    if (!use) continue;
    const { namespace, name } = other.metadata;
    const message =
      `PVC ${namespace}/${use.claim} is a disk of VMI ${name}: ` +
      `this one waits until that ends; disks that guests may share say shareable: true`;
    return { reason: "PVCInUse", message };
  }
  return undefined;
}
