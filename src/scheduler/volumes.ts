// Claims that wait for their first consumer, and the volumes they could be bound to.
import type { KubeObject } from "../kinds/object.ts";
import { matchesTerms } from "../lib/node-selector.ts";
import { sizeOf, volumeSuits } from "../lib/volume-match.ts";
import type { NodeInfo } from "./node-info.ts";
import type { VolumeLookup } from "./snapshot.ts";

export const selectedNodeAnnotation = "volume.kubernetes.io/selected-node";
const noProvisioner = "kubernetes.io/no-provisioner";

const classOf = (claim: KubeObject, volumes: VolumeLookup) => {
  const name: string | undefined = claim.spec?.storageClassName;
  return name ? volumes.storageClass(name) : undefined;
};

export const waitsForConsumer = (claim: KubeObject, volumes: VolumeLookup) =>
  classOf(claim, volumes)?.volumeBindingMode === "WaitForFirstConsumer";

/** Will somebody make a volume for this claim? */
export const provisions = (claim: KubeObject, volumes: VolumeLookup) => {
  const provisioner = classOf(claim, volumes)?.provisioner;
  return provisioner !== undefined && provisioner !== noProvisioner;
};

function suits(volume: KubeObject, claim: KubeObject, node: NodeInfo): boolean {
  const terms = volume.spec?.nodeAffinity?.required?.nodeSelectorTerms;
  return volumeSuits(volume, claim) && (!terms || matchesTerms(terms, node));
}

/** The smallest free volume that satisfies the claim and can be used on the node. */
export function findVolume(
  claim: KubeObject,
  node: NodeInfo,
  volumes: VolumeLookup,
): KubeObject | undefined {
  let best: KubeObject | undefined;
  for (const volume of volumes.volumes()) {
    if (suits(volume, claim, node) && (!best || sizeOf(volume) < sizeOf(best))) best = volume;
  }
  return best;
}
