// What a snapshot keeps: the machine as it was, and a claim with the copies of its disks. Pure.
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import { parseQuantity } from "../../lib/quantity.ts";

/** Room on the claim besides the disks. */
const marginBytes = 16 * 2 ** 20;

export interface SourceDisk {
  /** Of the machine's volume. */
  volume: string;
  claim: KubeObject;
}

export const contentName = (snapshot: KubeObject) => `vmsnapshot-content-${snapshot.metadata.uid}`;
/** Of the claim with the copies, and of the pod that holds it while they are made. */
export const copiesName = (snapshot: { metadata: { uid: string } }) =>
  `vmsnapshot-${snapshot.metadata.uid}`;
export const copyFile = (volume: string) => `${volume}.img`;

/** Claims behind the volumes of a spec, by volume. */
export function claimsByVolume(spec: any): { volume: string; claimName: string }[] {
  return (spec.volumes ?? []).flatMap((one: any) => {
    const claimName = one.persistentVolumeClaim?.claimName ?? one.dataVolume?.name;
    return claimName ? [{ volume: one.name, claimName }] : [];
  });
}

const bytesOf = ({ spec }: KubeObject) => parseQuantity(spec.resources.requests.storage);

export function copiesClaim(owner: KubeObject, name: string, disks: SourceDisk[]): Draft {
  const bytes = disks.reduce((sum, { claim }) => sum + bytesOf(claim), marginBytes);
  const { storageClassName } = disks[0]!.claim.spec;
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, ownerReferences: [controllerReference(owner)] },
    spec: {
      accessModes: ["ReadWriteOnce"],
      ...(storageClassName && { storageClassName }),
      resources: { requests: { storage: String(bytes) } },
    },
  };
}

const kept = ({ metadata }: KubeObject) => ({
  name: metadata.name,
  namespace: metadata.namespace,
  uid: metadata.uid,
  ...(metadata.labels && { labels: metadata.labels }),
  ...(metadata.annotations && { annotations: metadata.annotations }),
});

function unbound(claimed: any) {
  const { volumeName: _, ...spec } = claimed;
  return spec;
}

/** A machine whose guest runs, as it was when the guest began; its disks are those that it has now. */
export function asStarted(vm: KubeObject, started: any): KubeObject {
  const { template } = started;
  const now = vm.spec.template.spec;
  const devices = { ...template.spec.domain.devices, disks: now.domain.devices?.disks };
  const domain = { ...template.spec.domain, devices };
  const spec = { ...template.spec, domain, volumes: now.volumes };
  return { ...vm, spec: { ...started, template: { ...template, spec } } };
}

export function contentOf(snapshot: KubeObject, vm: KubeObject, disks: SourceDisk[]): Draft {
  const isKept = snapshot.spec.deletionPolicy === "Retain";
  return {
    apiVersion: "snapshot.kubevirt.io/v1beta1",
    kind: "VirtualMachineSnapshotContent",
    metadata: {
      name: contentName(snapshot),
      ...(!isKept && { ownerReferences: [controllerReference(snapshot)] }),
    },
    spec: {
      virtualMachineSnapshotName: snapshot.metadata.name,
      source: { virtualMachine: { metadata: kept(vm), spec: vm.spec } },
      volumeBackups: disks.map(({ volume, claim }) => ({
        volumeName: volume,
        volumeSnapshotName: `${copiesName(snapshot)}/${copyFile(volume)}`,
        persistentVolumeClaim: {
          metadata: kept(claim),
          spec: unbound(claim.spec),
        },
      })),
    },
  };
}
