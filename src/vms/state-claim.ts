// The claim that keeps what a guest's firmware remembers from start to start: UEFI's variables and a TPM's secrets.
// It belongs to the machine, or to an instance without one. Pure.
import type { Draft, KubeObject } from "../kinds/object.ts";
import { controllerOf } from "../kinds/object.ts";
import { controllerReference } from "../controllers/pod-template.ts";
import { isOn } from "./unsupported.ts";

const label = "persistent-state-for";
const size = "16Mi";

export function hasState({ devices, firmware }: any): boolean {
  const tpm = devices?.tpm;
  return Boolean((tpm && isOn(tpm) && tpm.persistent) || firmware?.bootloader?.efi?.persistent);
}

export const stateClaimName = ({ metadata }: Pick<KubeObject, "metadata">) =>
  `${label}-${metadata.name}`;

/** Of KubeVirt's configuration: the class, else the cluster's default. */
export function stateClaim(vmi: KubeObject, kubeVirt: KubeObject | undefined): Draft {
  const { namespace, name } = vmi.metadata;
  const storageClassName = kubeVirt?.spec?.configuration?.vmStateStorageClass;
  const machine = controllerOf(vmi);
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      namespace: namespace!,
      name: stateClaimName(vmi),
      labels: { [label]: name },
      ownerReferences: [machine ?? controllerReference(vmi)],
    },
    spec: {
      accessModes: ["ReadWriteOnce"],
      resources: { requests: { storage: size } },
      ...(storageClassName && { storageClassName }),
    },
  };
}
