// The instance of a machine: its template, sized, under the machine's name. Pure.
import { createHash } from "node:crypto";
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Draft, KubeObject } from "../../kinds/object.ts";
import type { Expanded } from "../instancetype/expand.ts";

export const instanceFinalizer = "kubevirt.io/foregroundDeleteVirtualMachine";
const generationAnnotation = "kubevirt.io/vm-generation";
/** What of the template the running instance was made from; another one needs a restart. */
export const templateAnnotation = "vms.kerb.dev/template-hash";

/** Volumes that are plugged into a running instance are no reason to restart it. */
function lasting(template: any) {
  const { volumes = [], domain, ...spec } = template.spec;
  const plugged = new Set(
    volumes
      .filter((one: any) => one.dataVolume?.hotpluggable || one.persistentVolumeClaim?.hotpluggable)
      .map(({ name }: any) => name),
  );
  const without = (list: any[] = []) => list.filter(({ name }) => !plugged.has(name));
  const devices = { ...domain.devices, disks: without(domain.devices?.disks) };
  const { terminationGracePeriodSeconds: _, ...rest } = spec;
  return { ...rest, volumes: without(volumes), domain: { ...domain, devices } };
}

export const templateHash = (vm: KubeObject) =>
  createHash("sha256")
    .update(JSON.stringify(lasting(vm.spec.template)))
    .digest("hex")
    .slice(0, 16);

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
        [templateAnnotation]: templateHash(vm),
      },
      finalizers: [instanceFinalizer],
      ownerReferences: [controllerReference(vm)],
    },
    spec: { ...withIdentity(spec, vm), ...(paused && { startStrategy: "Paused" }) },
    status: { virtualMachineRevisionName: revision },
  };
}
