// What a machine, or its instance, rests on: a tree of references. Pure.
import type { KubeObject } from "../../kinds/object.ts";

export interface GraphNode {
  objectReference: { apiGroup: string; kind: string; name: string; namespace: string };
  labels: Record<string, string>;
  optional?: true;
  children?: GraphNode[];
}

const kinds = {
  VirtualMachine: ["kubevirt.io", "compute"],
  VirtualMachineInstance: ["kubevirt.io", "compute"],
  Pod: ["", "compute"],
  VirtualMachineInstancetype: ["instancetype.kubevirt.io", "config"],
  VirtualMachineClusterInstancetype: ["instancetype.kubevirt.io", "config"],
  VirtualMachinePreference: ["instancetype.kubevirt.io", "config"],
  VirtualMachineClusterPreference: ["instancetype.kubevirt.io", "config"],
  ControllerRevision: ["apps", "config"],
  DataVolume: ["cdi.kubevirt.io", "storage"],
  PersistentVolumeClaim: ["", "storage"],
  ConfigMap: ["", "config"],
  Secret: ["", "config"],
} as const;
type Kind = keyof typeof kinds;

function node(kind: Kind, name: string, namespace: string, children: GraphNode[] = []): GraphNode {
  const [apiGroup, dependency] = kinds[kind];
  return {
    objectReference: { apiGroup, kind, name, namespace },
    labels: { "kubevirt.io/dependency-type": dependency },
    ...(children.length > 0 && { children }),
  };
}

function ofVolume(volume: any, namespace: string): GraphNode[] {
  const { dataVolume, persistentVolumeClaim, configMap, secret } = volume;
  const claim = (name: string) => node("PersistentVolumeClaim", name, namespace);
  if (dataVolume) {
    return [node("DataVolume", dataVolume.name, namespace, [claim(dataVolume.name)])];
  }
  if (persistentVolumeClaim) return [claim(persistentVolumeClaim.claimName)];
  if (configMap) return [node("ConfigMap", configMap.name, namespace)];
  if (secret) return [node("Secret", secret.secretName, namespace)];
  const { secretRef, networkDataSecretRef } =
    volume.cloudInitNoCloud ?? volume.cloudInitConfigDrive ?? {};
  return [secretRef, networkDataSecretRef]
    .filter(Boolean)
    .map(({ name }) => node("Secret", name, namespace));
}

function ofCredentials({ accessCredentials = [] }: any, namespace: string): GraphNode[] {
  return accessCredentials.flatMap(({ sshPublicKey, userPassword }: any) => {
    const { secretName } = (sshPublicKey ?? userPassword)?.source?.secret ?? {};
    return secretName ? [node("Secret", secretName, namespace)] : [];
  });
}

const defaultKinds = {
  instancetype: "VirtualMachineClusterInstancetype",
  preference: "VirtualMachineClusterPreference",
} as const;

function ofSizing(vm: KubeObject, field: keyof typeof defaultKinds): GraphNode[] {
  const matcher = vm.spec[field];
  if (!matcher?.name) return [];
  const asked = String(matcher.kind ?? defaultKinds[field]).toLowerCase();
  const kind = (Object.keys(kinds) as Kind[]).find((one) => one.toLowerCase() === asked);
  const namespace = kind?.includes("Cluster") ? "" : vm.metadata.namespace!;
  const revision: string | undefined =
    vm.status?.[`${field}Ref`]?.controllerRevisionRef?.name ?? matcher.revisionName;
  return [
    ...(kind ? [{ ...node(kind, matcher.name, namespace), optional: true as const }] : []),
    ...(revision ? [node("ControllerRevision", revision, vm.metadata.namespace!)] : []),
  ];
}

const ofSpec = (spec: any, namespace: string) => [
  ...ofCredentials(spec, namespace),
  ...(spec.volumes ?? []).flatMap((one: any) => ofVolume(one, namespace)),
];

/** `pod` is the one that its guest runs in. */
export function machineGraph(vm: KubeObject, pod: KubeObject | undefined): GraphNode {
  const { name } = vm.metadata;
  const namespace = vm.metadata.namespace!;
  const pods = pod ? [node("Pod", pod.metadata.name, namespace)] : [];
  const instance = node("VirtualMachineInstance", name, namespace, pods);
  return node("VirtualMachine", name, namespace, [
    ...(vm.status?.created ? [instance] : []),
    ...ofSizing(vm, "instancetype"),
    ...ofSizing(vm, "preference"),
    ...ofSpec(vm.spec.template.spec, namespace),
  ]);
}

export function instanceGraph(vmi: KubeObject, pod: KubeObject | undefined): GraphNode {
  const namespace = vmi.metadata.namespace!;
  const pods = pod ? [node("Pod", pod.metadata.name, namespace)] : [];
  const children = [...pods, ...ofSpec(vmi.spec, namespace)];
  return node("VirtualMachineInstance", vmi.metadata.name, namespace, children);
}

/** `isWanted` by labels. */
export function pruned(
  root: GraphNode,
  isWanted: (labels: Record<string, string>) => boolean,
  withOptional = true,
): GraphNode {
  const { children = [], ...rest } = root;
  const kept = children
    .filter(({ labels, optional }) => (withOptional || !optional) && isWanted(labels))
    .map((one) => pruned(one, isWanted, withOptional));
  return { ...rest, ...(kept.length > 0 && { children: kept }) };
}
