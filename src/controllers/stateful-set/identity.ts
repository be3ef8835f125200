// What makes a StatefulSet's pod that pod: its ordinal, its name, its claims.
import type { Draft, KubeObject, OwnerReference } from "../../kinds/object.ts";
import { controllerReference, podFromTemplate, type PodTemplate } from "../pod-template.ts";

const podNameLabel = "statefulset.kubernetes.io/pod-name";
const podIndexLabel = "apps.kubernetes.io/pod-index";
export const revisionLabel = "controller-revision-hash";

export const startOf = (set: KubeObject): number => set.spec.ordinals?.start ?? 0;
export const podName = (set: KubeObject, ordinal: number) => `${set.metadata.name}-${ordinal}`;

/** The ordinal of a pod of this set; -1 for a name that is not of its form. */
export function ordinalOf(set: KubeObject, name: string): number {
  const prefix = `${set.metadata.name}-`;
  const digits = name.startsWith(prefix) ? name.slice(prefix.length) : "";
  return /^(0|[1-9]\d*)$/.test(digits) ? Number(digits) : -1;
}

const claimTemplates = (set: KubeObject): KubeObject[] => set.spec.volumeClaimTemplates ?? [];

export const claimName = (set: KubeObject, template: KubeObject, ordinal: number) =>
  `${template.metadata.name}-${set.metadata.name}-${ordinal}`;

/** The claims of one pod, as they are to be created. */
export function claimsOf(set: KubeObject, ordinal: number): Draft[] {
  return claimTemplates(set).map((template) => ({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      ...template.metadata,
      name: claimName(set, template, ordinal),
      namespace: set.metadata.namespace!,
      labels: { ...template.metadata.labels, ...set.spec.selector?.matchLabels },
    },
    spec: template.spec,
  }));
}

/** The pod of `ordinal` as `template` (of `revision`) describes it. */
export function podOf(
  set: KubeObject,
  template: PodTemplate,
  revision: string,
  ordinal: number,
): Draft {
  const pod = podFromTemplate(set, template);
  const name = podName(set, ordinal);
  const volumes: { name: string }[] = pod["spec"].volumes ?? [];
  const claims = claimTemplates(set).map((claim) => ({
    name: claim.metadata.name,
    persistentVolumeClaim: { claimName: claimName(set, claim, ordinal) },
  }));
  const others = volumes.filter((volume) => !claims.some((claim) => claim.name === volume.name));
  delete pod.metadata.generateName;
  pod.metadata.name = name;
  pod.metadata.labels = {
    ...pod.metadata.labels,
    [podNameLabel]: name,
    [podIndexLabel]: String(ordinal),
    [revisionLabel]: revision,
  };
  pod["spec"].hostname = name;
  if (set.spec.serviceName) pod["spec"].subdomain = set.spec.serviceName;
  if (claims.length > 0 || others.length > 0) pod["spec"].volumes = [...others, ...claims];
  return pod;
}

const ownerOf = ({ apiVersion, kind, metadata }: KubeObject): OwnerReference => ({
  apiVersion,
  kind,
  name: metadata.name,
  uid: metadata.uid,
});

/**
 * Who owns a claim by `persistentVolumeClaimRetentionPolicy`: deleting the set or scaling it down
 * deletes the claim through its owner, or leaves it alone. Undefined: as it is.
 */
export function claimOwners(
  set: KubeObject,
  claim: KubeObject,
  pod: KubeObject | undefined,
  condemned: boolean,
): OwnerReference[] | undefined {
  const policy = set.spec.persistentVolumeClaimRetentionPolicy ?? {};
  const before = claim.metadata.ownerReferences ?? [];
  const foreign = before.filter(
    ({ uid, kind, name }) =>
      uid !== set.metadata.uid &&
      uid !== pod?.metadata.uid &&
      !(kind === "Pod" && ordinalOf(set, name) >= 0),
  );
  const bySet = policy.whenDeleted === "Delete" && !(condemned && policy.whenScaled === "Delete");
  const byPod = policy.whenScaled === "Delete" && condemned && pod;
  const wanted = [
    ...foreign,
    ...(bySet ? [controllerReference(set)] : []),
    ...(byPod ? [ownerOf(pod)] : []),
  ];
  const uids = (owners: OwnerReference[]) =>
    owners
      .map(({ uid }) => uid)
      .sort()
      .join();
  return uids(wanted) === uids(before) ? undefined : wanted;
}

/** Labels a pod of this set should carry and does not (an adopted or an old one). */
export function missingLabels(
  set: KubeObject,
  pod: KubeObject,
): Record<string, string> | undefined {
  const { name, labels = {} } = pod.metadata;
  const wanted = { [podNameLabel]: name, [podIndexLabel]: String(ordinalOf(set, name)) };
  const missing = Object.entries(wanted).filter(([key, value]) => labels[key] !== value);
  return missing.length > 0 ? Object.fromEntries(missing) : undefined;
}
