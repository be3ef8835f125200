// Claims that wait for their first consumer, and the volumes they could be bound to.
import type { KubeObject } from "../kinds/object.ts";
import { compileSelector } from "../lib/label-selector.ts";
import { matchesTerms } from "../lib/node-selector.ts";
import { amountOf } from "../lib/pod-requests.ts";
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
  const { spec = {} } = volume;
  const taker = spec.claimRef;
  if (taker) {
    const { namespace, name, uid } = claim.metadata;
    if (taker.namespace !== namespace || taker.name !== name) return false;
    if (taker.uid && taker.uid !== uid) return false;
  } else if (volume.status?.phase && volume.status.phase !== "Available") return false;
  if ((spec.storageClassName ?? "") !== (claim.spec?.storageClassName ?? "")) return false;
  if ((spec.volumeMode ?? "Filesystem") !== (claim.spec?.volumeMode ?? "Filesystem")) return false;
  const modes: string[] = spec.accessModes ?? [];
  if (!(claim.spec?.accessModes ?? []).every((mode: string) => modes.includes(mode))) return false;
  const asked = claim.spec?.resources?.requests?.storage ?? "0";
  if (amountOf("storage", spec.capacity?.storage ?? "0") < amountOf("storage", asked)) return false;
  const selector = claim.spec?.selector;
  if (selector && !compileSelector(selector)(volume.metadata.labels)) return false;
  const terms = spec.nodeAffinity?.required?.nodeSelectorTerms;
  return !terms || matchesTerms(terms, node);
}

/** The smallest free volume that satisfies the claim and can be used on the node. */
export function findVolume(
  claim: KubeObject,
  node: NodeInfo,
  volumes: VolumeLookup,
): KubeObject | undefined {
  const size = (volume: KubeObject) => amountOf("storage", volume.spec?.capacity?.storage ?? "0");
  let best: KubeObject | undefined;
  for (const volume of volumes.volumes()) {
    if (suits(volume, claim, node) && (!best || size(volume) < size(best))) best = volume;
  }
  return best;
}
