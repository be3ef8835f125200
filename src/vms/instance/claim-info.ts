// What a VMI's status says of the claims behind its volumes. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { isHotplugged } from "./launcher-volumes.ts";

export const claimInfo = ({ metadata, spec, status }: KubeObject) => ({
  claimName: metadata.name,
  accessModes: spec.accessModes,
  volumeMode: spec.volumeMode ?? "Filesystem",
  capacity: status?.capacity ?? {},
  requests: spec.resources?.requests ?? {},
});

const claimOf = ({ persistentVolumeClaim, dataVolume }: any): string | undefined =>
  persistentVolumeClaim?.claimName ?? dataVolume?.name;

/** The list with what is known of claims; what is plugged in is told of by whoever plugs it. */
export function withClaims(
  { spec, status }: KubeObject,
  find: (claim: string) => KubeObject | undefined,
): any[] {
  const list: any[] = status?.volumeStatus ?? [];
  const told = (spec.volumes ?? []).flatMap((volume: any) => {
    const name = claimOf(volume);
    const claim = name && !isHotplugged(volume) ? find(name) : undefined;
    return claim ? [{ name: volume.name, persistentVolumeClaimInfo: claimInfo(claim) }] : [];
  });
  const merged = list.map((one) => ({
    ...one,
    ...told.find(({ name }: any) => name === one.name),
  }));
  const others = told.filter(({ name }: any) => !list.some((one) => one.name === name));
  return [...merged, ...others.map((one: any) => ({ target: "", ...one }))];
}
