// How many volumes of a driver a node can have, as its CSINode says. Two pods of a node that share a volume
// count it once; a claim whose volume is yet to be made counts for the driver that will make it.
import { resolvable, type Filter } from "../filter.ts";
import type { PodInfo } from "../pod-info.ts";
import type { VolumeLookup } from "../snapshot.ts";
import { claimsOf } from "./volumes.ts";

const verdict = resolvable("node(s) exceed max volume count");

/** `driver` and what tells its volumes apart. */
function volumesOf(pod: PodInfo, lookup: VolumeLookup): { driver: string; id: string }[] {
  return claimsOf(pod).flatMap(({ name }) => {
    const claim = lookup.claim(pod.namespace, name);
    if (!claim) return [];
    const csi = claim.spec?.volumeName && lookup.volume(claim.spec.volumeName)?.spec?.csi;
    if (csi) return [{ driver: csi.driver, id: csi.volumeHandle }];
    if (claim.spec?.volumeName) return [];
    const driver = lookup.storageClass(claim.spec?.storageClassName ?? "")?.provisioner;
    return driver ? [{ driver, id: `${pod.namespace}/${name}` }] : [];
  });
}

export const volumeLimits: Filter = {
  name: "NodeVolumeLimits",
  wakes: ["pod-removed", "node", "volume"],
  prepare(pod, { volumes }) {
    const wanted = volumesOf(pod, volumes);
    if (wanted.length === 0) return undefined;
    return (node) => {
      const drivers: any[] = volumes.csiNode(node.name)?.spec?.drivers ?? [];
      for (const { name, allocatable } of drivers) {
        const own = wanted.filter(({ driver }) => driver === name);
        if (allocatable?.count === undefined || own.length === 0) continue;
        const there = [...node.pods].flatMap((one) => volumesOf(one, volumes));
        const ids = new Set(there.filter(({ driver }) => driver === name).map(({ id }) => id));
        const fresh = new Set(own.map(({ id }) => id).filter((id) => !ids.has(id)));
        if (fresh.size > 0 && ids.size + fresh.size > allocatable.count) return verdict;
      }
      return undefined;
    };
  },
};
