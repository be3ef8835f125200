// Persistent volumes: a claim must exist and be bound to a volume this node may use, or be one that
// waits for its first consumer, so that the choice of the node comes first.
import { matchesTerms, type NodeSelectorTerm } from "../../lib/node-selector.ts";
import { resolvable, unresolvable, type Filter } from "../filter.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { PodInfo } from "../pod-info.ts";
import type { Snapshot } from "../snapshot.ts";
import { findVolume, provisions, refusedPlace, waitsForConsumer } from "../volumes.ts";

const conflict = unresolvable("node(s) had volume node affinity conflict");
const noVolume = resolvable("node(s) didn't find available persistent volumes to bind");
const noRoom = resolvable("node(s) did not have enough free storage");

/** The claims a pod mounts; a generic ephemeral volume's claim is named after pod and volume. */
export function claimsOf({ pod, name }: PodInfo): { name: string; ephemeral: boolean }[] {
  const claims: { name: string; ephemeral: boolean }[] = [];
  for (const volume of pod.spec?.volumes ?? []) {
    const claim = volume.persistentVolumeClaim?.claimName;
    if (claim) claims.push({ name: claim, ephemeral: false });
    else if (volume.ephemeral) claims.push({ name: `${name}-${volume.name}`, ephemeral: true });
  }
  return claims;
}

export const nodeTermsOf = (volume: KubeObject): NodeSelectorTerm[] | undefined =>
  volume.spec?.nodeAffinity?.required?.nodeSelectorTerms;

const refused = (reason: string) => ({ refused: reason });

export const volumes: Filter = {
  name: "VolumeBinding",
  wakes: ["node", "volume"],
  prepare(pod, snapshot) {
    const bound: NodeSelectorTerm[][] = [];
    const toBind: KubeObject[] = [];
    for (const { name, ephemeral } of claimsOf(pod)) {
      const claim = snapshot.volumes.claim(pod.namespace, name);
      if (!claim) {
        return refused(
          ephemeral
            ? `waiting for ephemeral volume controller to create the persistentvolumeclaim "${name}"`
            : `persistentvolumeclaim "${name}" not found`,
        );
      }
      const failure = claimFailure(claim, bound, toBind, snapshot);
      if (failure) return refused(failure);
    }
    if (bound.length === 0 && toBind.length === 0) return undefined;
    return (node) => {
      if (!bound.every((terms) => matchesTerms(terms, node))) return conflict;
      for (const claim of toBind) {
        if (provisions(claim, snapshot.volumes)) {
          const why = refusedPlace(claim, node, snapshot.volumes);
          if (why) return why === "room" ? noRoom : noVolume;
        } else if (!findVolume(claim, node, snapshot.volumes)) return noVolume;
      }
      return undefined;
    };
  },
};

function claimFailure(
  claim: KubeObject,
  bound: NodeSelectorTerm[][],
  toBind: KubeObject[],
  snapshot: Snapshot,
): string | undefined {
  const { name, deletionTimestamp } = claim.metadata;
  if (deletionTimestamp) return `persistentvolumeclaim "${name}" is being deleted`;
  if (claim.status?.phase === "Lost") {
    return `persistentvolumeclaim "${name}" bound to non-existent persistentvolume "${claim.spec?.volumeName}"`;
  }
  if (claim.spec?.volumeName) {
    const volume = snapshot.volumes.volume(claim.spec.volumeName);
    const terms = volume && nodeTermsOf(volume);
    if (terms) bound.push(terms);
    return undefined;
  }
  if (!waitsForConsumer(claim, snapshot.volumes)) {
    return "pod has unbound immediate PersistentVolumeClaims";
  }
  toBind.push(claim);
  return undefined;
}
