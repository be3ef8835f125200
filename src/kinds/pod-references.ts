// What a pod names: its node may read these objects and no others of their kinds.
import type { KubeObject } from "./object.ts";

/** Resources whose objects a node reaches through its pods. */
export type Reached =
  | "secrets"
  | "configmaps"
  | "persistentvolumeclaims"
  | "serviceaccounts"
  | "resourceclaims";

type Found = [Reached, string | undefined];

function* ofVolume(volume: any, pod: KubeObject): Generator<Found> {
  yield ["secrets", volume.secret?.secretName];
  yield ["configmaps", volume.configMap?.name];
  yield ["persistentvolumeclaims", volume.persistentVolumeClaim?.claimName];
  if (volume.ephemeral) yield ["persistentvolumeclaims", `${pod.metadata.name}-${volume.name}`];
  for (const source of volume.projected?.sources ?? []) {
    yield ["secrets", source.secret?.name];
    yield ["configmaps", source.configMap?.name];
  }
  yield ["secrets", volume.csi?.nodePublishSecretRef?.name];
  for (const driver of ["cephfs", "flexVolume", "iscsi", "rbd", "scaleIO", "storageos"]) {
    yield ["secrets", volume[driver]?.secretRef?.name];
  }
  yield ["secrets", volume.azureFile?.secretName];
}

function* ofContainer(container: any): Generator<Found> {
  for (const { secretRef, configMapRef } of container.envFrom ?? []) {
    yield ["secrets", secretRef?.name];
    yield ["configmaps", configMapRef?.name];
  }
  for (const { valueFrom } of container.env ?? []) {
    yield ["secrets", valueFrom?.secretKeyRef?.name];
    yield ["configmaps", valueFrom?.configMapKeyRef?.name];
  }
}

function* every(pod: KubeObject): Generator<Found> {
  const { spec, status } = pod;
  yield ["serviceaccounts", spec.serviceAccountName];
  for (const { name } of spec.imagePullSecrets ?? []) yield ["secrets", name];
  for (const list of ["initContainers", "containers", "ephemeralContainers"]) {
    for (const container of spec[list] ?? []) yield* ofContainer(container);
  }
  for (const volume of spec.volumes ?? []) yield* ofVolume(volume, pod);
  for (const claim of spec.resourceClaims ?? []) yield ["resourceclaims", claim.resourceClaimName];
  for (const claim of status?.resourceClaimStatuses ?? []) {
    yield ["resourceclaims", claim.resourceClaimName];
  }
}

/** `secrets/NAME`, each once, all in the pod's namespace. Mirror pods, which nodes make, reach nothing. */
export function podReferences(pod: KubeObject): Set<string> {
  const references = new Set<string>();
  if (pod.metadata.annotations?.["kubernetes.io/config.mirror"]) return references;
  for (const [resource, name] of every(pod)) if (name) references.add(`${resource}/${name}`);
  return references;
}
