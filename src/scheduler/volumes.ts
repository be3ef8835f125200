// Claims that wait for their first consumer, and the volumes they could be bound to.
import type { KubeObject } from "../kinds/object.ts";
import { compileSelector } from "../lib/label-selector.ts";
import { matchesTerms } from "../lib/node-selector.ts";
import { amountOf } from "../lib/pod-requests.ts";
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

/** The class's places; without any it is every node. */
function isAllowed(storageClass: KubeObject, { labels }: NodeInfo): boolean {
  const terms: any[] = storageClass["allowedTopologies"] ?? [];
  if (terms.length === 0) return true;
  return terms.some(({ matchLabelExpressions = [] }) =>
    matchLabelExpressions.every(({ key, values }: any) => values.includes(labels[key])),
  );
}

/** Does a driver that counts its room have enough of it for a volume at the node? */
function hasRoom(claim: KubeObject, storageClass: KubeObject, node: NodeInfo, of: VolumeLookup) {
  if (of.csiDriver(storageClass["provisioner"])?.spec?.storageCapacity !== true) return true;
  const asked = amountOf("storage", claim.spec?.resources?.requests?.storage ?? "0");
  return of.capacities().some((one) => {
    const room: string | undefined = one["maximumVolumeSize"] ?? one["capacity"];
    const isOf = one["storageClassName"] === storageClass.metadata.name && one["nodeTopology"];
    return isOf && room && amountOf("storage", room) >= asked && compileSelector(isOf)(node.labels);
  });
}

/** Why no volume will be made for the claim at this node. */
export function refusedPlace(claim: KubeObject, node: NodeInfo, volumes: VolumeLookup) {
  const storageClass = classOf(claim, volumes)!;
  if (!isAllowed(storageClass, node)) return "topology" as const;
  return hasRoom(claim, storageClass, node, volumes) ? undefined : ("room" as const);
}

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
