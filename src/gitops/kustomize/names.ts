// References by name follow when names change: to ConfigMaps and Secrets from pods, to accounts and claims, from
// Ingresses and autoscalers, and from bindings. Pure.
import { isObject } from "../../lib/json.ts";
import { podTemplates } from "./object.ts";
import type { BuildObject } from "./object.ts";

/** By kind, old name to new. */
export type Renames = Map<string, Map<string, string>>;

export function noteRename(renames: Renames, kind: string, from: string, to: string) {
  if (from === to) return;
  if (!renames.has(kind)) renames.set(kind, new Map());
  renames.get(kind)!.set(from, to);
}

/** In place. */
export function followRenames(object: BuildObject, renames: Renames) {
  const follow = (holder: any, field: string, kind: string) => {
    if (!isObject(holder)) return;
    const to = renames.get(kind)?.get(holder[field] as string);
    if (to !== undefined) holder[field] = to;
  };
  for (const { spec } of podTemplates(object)) {
    if (!isObject(spec)) continue;
    follow(spec, "serviceAccountName", "ServiceAccount");
    follow(spec, "serviceAccount", "ServiceAccount");
    for (const one of spec["imagePullSecrets"] ?? []) follow(one, "name", "Secret");
    for (const volume of spec["volumes"] ?? []) {
      follow(volume.configMap, "name", "ConfigMap");
      follow(volume.secret, "secretName", "Secret");
      follow(volume.persistentVolumeClaim, "claimName", "PersistentVolumeClaim");
      for (const source of volume.projected?.sources ?? []) {
        follow(source.configMap, "name", "ConfigMap");
        follow(source.secret, "name", "Secret");
      }
    }
    for (const container of [...(spec["containers"] ?? []), ...(spec["initContainers"] ?? [])]) {
      for (const from of container.envFrom ?? []) {
        follow(from.configMapRef, "name", "ConfigMap");
        follow(from.secretRef, "name", "Secret");
      }
      for (const { valueFrom } of container.env ?? []) {
        follow(valueFrom?.configMapKeyRef, "name", "ConfigMap");
        follow(valueFrom?.secretKeyRef, "name", "Secret");
      }
    }
  }
  const { kind, spec } = object;
  if (kind === "Ingress") {
    for (const { http } of spec?.rules ?? []) {
      for (const { backend } of http?.paths ?? []) follow(backend?.service, "name", "Service");
    }
    follow(spec?.defaultBackend?.service, "name", "Service");
    for (const tls of spec?.tls ?? []) follow(tls, "secretName", "Secret");
  }
  if (kind === "HorizontalPodAutoscaler") {
    follow(spec?.scaleTargetRef, "name", spec?.scaleTargetRef?.kind);
  }
  if (kind === "StatefulSet") follow(spec, "serviceName", "Service");
  if (kind === "RoleBinding" || kind === "ClusterRoleBinding") {
    follow(object["roleRef"], "name", object["roleRef"]?.kind);
    for (const subject of object["subjects"] ?? []) follow(subject, "name", subject.kind);
  }
}
