// The DataVolumes of a machine: those of its templates, which it makes, and those that its volumes name. Pure.
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";

/** Claims that its volumes name. A DataVolume's claim has its name. */
export function claimNames(spec: any): string[] {
  const named = (spec?.volumes ?? []).map(
    (one: any) =>
      one.persistentVolumeClaim?.claimName ??
      one.dataVolume?.name ??
      one.ephemeral?.persistentVolumeClaim?.claimName,
  );
  return [...new Set<string>(named.filter(Boolean))];
}

export const templateNames = (vm: KubeObject): string[] =>
  (vm.spec.dataVolumeTemplates ?? []).map((one: any) => one.metadata?.name).filter(Boolean);

/** Every DataVolume that may be this machine's, by name. */
export const dataVolumeNames = (vm: KubeObject): string[] => [
  ...new Set([
    ...templateNames(vm),
    ...(vm.spec.template.spec.volumes ?? [])
      .map((one: any) => one.dataVolume?.name)
      .filter(Boolean),
  ]),
];

export function dataVolumeOf(vm: KubeObject, template: any): Draft {
  const { name, labels, annotations } = template.metadata;
  return {
    apiVersion: "cdi.kubevirt.io/v1beta1",
    kind: "DataVolume",
    metadata: {
      ...{ name, namespace: vm.metadata.namespace! },
      labels: { ...labels, "kubevirt.io/created-by": vm.metadata.uid },
      ...(annotations && { annotations }),
      ownerReferences: [controllerReference(vm)],
    },
    spec: structuredClone(template.spec),
  };
}
