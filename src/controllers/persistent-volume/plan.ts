// Claims and volumes find each other (pkg/controller/volume/persistentvolume). Pure: what stands in the API,
// and what is to be done about it. A binding is written on the volume first, then on the claim, so a crash in
// between leaves the volume kept for its claim and nothing lost.
import type { KubeObject } from "../../kinds/object.ts";
import { localVolumes } from "../../lib/local-volumes.ts";
import { isKeptFor, sizeOf, volumeSuits } from "../../lib/volume-match.ts";

export const selectedNodeAnnotation = "volume.kubernetes.io/selected-node";
export const provisionedBy = "pv.kubernetes.io/provisioned-by";
export const provisionerAnnotation = "volume.kubernetes.io/storage-provisioner";
export const betaProvisionerAnnotation = "volume.beta.kubernetes.io/storage-provisioner";
const bindCompleted = "pv.kubernetes.io/bind-completed";
const boundByController = "pv.kubernetes.io/bound-by-controller";
const noProvisioner = "kubernetes.io/no-provisioner";

export interface Event {
  type: "Normal" | "Warning";
  reason: string;
  message: string;
}

export interface ClaimPlan {
  /** Keep this volume for the claim. */
  keep?: KubeObject;
  /** Write the claim's side of the binding to this volume. */
  bind?: KubeObject;
  /** Tell this provisioner that the claim is for it. */
  ask?: string;
  status?: object;
  event?: Event;
}

export const claimRefOf = ({ metadata }: KubeObject) => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  namespace: metadata.namespace,
  name: metadata.name,
  uid: metadata.uid,
});

/** What the claim says of itself once it has its volume. */
export function boundClaim(claim: KubeObject, volume: KubeObject): KubeObject {
  const byController = claim.spec.volumeName ? {} : { [boundByController]: "yes" };
  const annotations = { ...claim.metadata.annotations, ...byController, [bindCompleted]: "yes" };
  return {
    ...claim,
    metadata: { ...claim.metadata, annotations },
    spec: { ...claim.spec, volumeName: volume.metadata.name },
  };
}

export const boundStatus = ({ status }: KubeObject, { spec }: KubeObject) => ({
  ...status,
  phase: "Bound",
  accessModes: spec.accessModes,
  capacity: spec.capacity,
  ...(spec.volumeAttributesClassName && {
    currentVolumeAttributesClassName: spec.volumeAttributesClassName,
  }),
});

const pending = ({ status }: KubeObject): ClaimPlan =>
  status?.phase === "Pending" ? {} : { status: { ...status, phase: "Pending" } };

/** The claim names its volume. */
function planNamed(claim: KubeObject, volume: KubeObject | undefined): ClaimPlan {
  const wasBound = claim.metadata.annotations?.[bindCompleted] === "yes";
  if (!volume) {
    if (!wasBound || claim.status?.phase === "Lost") return wasBound ? {} : pending(claim);
    const message = "Bound claim has lost its PersistentVolume. Data on the volume is lost!";
    return {
      status: { ...claim.status, phase: "Lost" },
      event: { type: "Warning", reason: "ClaimLost", message },
    };
  }
  if (volume.spec.claimRef && !isKeptFor(volume, claim)) {
    if (!wasBound) return pending(claim);
    const message = "Two claims are bound to the same volume, this one is bound incorrectly";
    return {
      status: { ...claim.status, phase: "Lost" },
      event: { type: "Warning", reason: "ClaimMisbound", message },
    };
  }
  if (!volume.spec.claimRef?.uid) return { keep: volume };
  if (!wasBound) return { bind: volume };
  return claim.status?.phase === "Bound" ? {} : { status: boundStatus(claim, volume) };
}

/** The volume that somebody kept for the claim, else the smallest that would do. */
function chosen(claim: KubeObject, volumes: KubeObject[]): KubeObject | undefined {
  const kept = volumes.find((volume) => isKeptFor(volume, claim));
  if (kept) return kept;
  const suiting = volumes.filter((volume) => volumeSuits(volume, claim));
  return suiting.reduce<KubeObject | undefined>(
    (best, volume) => (best && sizeOf(best) <= sizeOf(volume) ? best : volume),
    undefined,
  );
}

export function planClaim(
  claim: KubeObject,
  volumes: KubeObject[],
  storageClass: KubeObject | undefined,
): ClaimPlan {
  const { volumeName } = claim.spec;
  if (volumeName) {
    return planNamed(
      claim,
      volumes.find(({ metadata }) => metadata.name === volumeName),
    );
  }
  const kept = volumes.find((volume) => isKeptFor(volume, claim));
  const waits = storageClass?.["volumeBindingMode"] === "WaitForFirstConsumer";
  const isPlaced = claim.metadata.annotations?.[selectedNodeAnnotation] !== undefined;
  if (waits && !kept && !isPlaced) {
    const message = "waiting for first consumer to be created before binding";
    return {
      ...pending(claim),
      event: { type: "Normal", reason: "WaitForFirstConsumer", message },
    };
  }
  const volume = chosen(claim, volumes);
  if (volume) return volume.spec.claimRef?.uid ? { bind: volume } : { keep: volume };
  const provisioner: string | undefined = storageClass?.["provisioner"];
  if (provisioner && provisioner !== noProvisioner) {
    const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
    const asked = claim.metadata.annotations?.[provisionerAnnotation] === provisioner;
    return {
      ...pending(claim),
      ...(!asked && { ask: provisioner }),
      event: { type: "Normal", reason: "ExternalProvisioning", message },
    };
  }
  const named = claim.spec.storageClassName;
  const message = named
    ? `storageclass.storage.k8s.io "${named}" not found`
    : "no persistent volumes available for this claim and no storage class is set";
  const reason = named && !storageClass ? "ProvisioningFailed" : "FailedBinding";
  const type = reason === "ProvisioningFailed" ? "Warning" : "Normal";
  return { ...pending(claim), event: { type, reason, message } };
}

export interface VolumePlan {
  status?: object;
  /** Its claim is gone and nobody wants it back. */
  remove?: true;
}

/** Where a volume stands; `claim` is the one it is kept for, if it is there. */
export function planVolume(volume: KubeObject, claim: KubeObject | undefined): VolumePlan {
  const { spec, status, metadata } = volume;
  const move = (phase: string): VolumePlan =>
    status?.phase === phase ? {} : { status: { ...status, phase } };
  if (metadata.deletionTimestamp) return {};
  if (!spec.claimRef?.uid) return move("Available");
  if (claim && claim.metadata.uid === spec.claimRef.uid) return move("Bound");
  const released = move("Released");
  // Others remove what they made themselves, with what lies behind it.
  const isOurs = metadata.annotations?.[provisionedBy] === localVolumes.provisioner;
  if (spec.persistentVolumeReclaimPolicy !== "Delete" || !isOurs) return released;
  return { ...released, remove: true };
}
