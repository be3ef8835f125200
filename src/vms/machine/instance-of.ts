// The instance of a machine: its template, sized, under the machine's name. Pure.
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import type { Expanded } from "../instancetype/expand.ts";

export const instanceFinalizer = "kubevirt.io/foregroundDeleteVirtualMachine";
/** Of the machine when its instance was made. */
export const generationAnnotation = "kubevirt.io/vm-generation";

/** From the VM alone, so that the guest knows itself again after a restart. */
function withIdentity(spec: any, vm: KubeObject) {
  const { domain } = spec;
  const firmware = { uuid: vm.metadata.uid, ...domain.firmware };
  return { ...spec, domain: { ...domain, firmware } };
}

export function instanceOf(
  vm: KubeObject,
  { spec, annotations }: Expanded,
  { paused, revision }: { paused: boolean; revision: string },
): Draft {
  const { name, generation = 1 } = vm.metadata;
  const namespace = vm.metadata.namespace!;
  const { metadata = {} } = vm.spec.template;
  return {
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachineInstance",
    metadata: {
      ...{ name, namespace },
      labels: { ...metadata?.labels },
      annotations: {
        ...annotations,
        ...metadata?.annotations,
        [generationAnnotation]: String(generation),
      },
      finalizers: [instanceFinalizer],
      ownerReferences: [controllerReference(vm)],
    },
    spec: { ...withIdentity(spec, vm), ...(paused && { startStrategy: "Paused" }) },
    status: { virtualMachineRevisionName: revision },
  };
}
