// What a pod needs of the API, so that the node it runs on may read it. Pure.
import type { KubeObject } from "../../../kinds/object.ts";

/** Store keys: `secrets/ns/name`, `configmaps/ns/name`, `persistentvolumeclaims/ns/name`, ... */
export function referencesOf({ metadata, spec, status }: KubeObject): Set<string> {
  const { namespace, name: podName } = metadata;
  const found = new Set<string>();
  const add = (resource: string, name: string | undefined) => {
    if (name) found.add(`${resource}/${namespace}/${name}`);
  };
  const secret = (name: string | undefined) => add("secrets", name);
  const configMap = (name: string | undefined) => add("configmaps", name);
  add("serviceaccounts", spec.serviceAccountName);
  for (const { name } of spec.imagePullSecrets ?? []) secret(name);
  const containers = [
    ...(spec.initContainers ?? []),
    ...(spec.containers ?? []),
    ...(spec.ephemeralContainers ?? []),
  ];
  for (const { env = [], envFrom = [] } of containers) {
    for (const { valueFrom } of env) {
      secret(valueFrom?.secretKeyRef?.name);
      configMap(valueFrom?.configMapKeyRef?.name);
    }
    for (const { secretRef, configMapRef } of envFrom) {
      secret(secretRef?.name);
      configMap(configMapRef?.name);
    }
  }
  for (const volume of spec.volumes ?? []) {
    secret(volume.secret?.secretName);
    configMap(volume.configMap?.name);
    secret(volume.csi?.nodePublishSecretRef?.name);
    add("persistentvolumeclaims", volume.persistentVolumeClaim?.claimName);
    if (volume.ephemeral) add("persistentvolumeclaims", `${podName}-${volume.name}`);
    for (const source of volume.projected?.sources ?? []) {
      secret(source.secret?.name);
      configMap(source.configMap?.name);
    }
  }
  for (const { name, resourceClaimName } of spec.resourceClaims ?? []) {
    const made = status?.resourceClaimStatuses?.find((one: any) => one.name === name);
    add("resourceclaims.resource.k8s.io", resourceClaimName ?? made?.resourceClaimName);
  }
  return found;
}
