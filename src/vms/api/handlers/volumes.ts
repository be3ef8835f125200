// addvolume and removevolume, of a machine (which keeps it) or of an instance alone.
import type { Target } from "../../../client/client.ts";
import type { KubeObject } from "../../../kinds/object.ts";
import { badRequest, conflict, isStatus } from "../../../lib/status-error.ts";
import { instances, virtualMachines } from "../../kinds/resources.ts";
import { isFinal } from "../../machine/run-strategy.ts";
import { accepted } from "../handler.ts";
import type { Call, Handler } from "../handler.ts";
import { withoutVolume, withVolume } from "../../hotplug/edit-spec.ts";
import type { VolumeRequest } from "../../hotplug/edit-spec.ts";

type Edit = (spec: any) => any;

const resource = { group: "kubevirt.io", resource: "virtualmachineinstance" };

const triesMax = 5;

/** Others write the object too: the edit is made anew of what it is by then. */
async function write(
  { access: { client }, dryRun }: Call,
  target: Target & { name: string },
  { found, edited }: { found: KubeObject; edited: (object: KubeObject) => KubeObject },
) {
  let object = found;
  for (let tries = 1; ; tries++) {
    const next = edited(object);
    try {
      return await client.update(target, next, { dryRun });
    } catch (error) {
      if (!isStatus(error, "Conflict") || tries === triesMax) throw error;
    }
    object = await client.get(target);
  }
}

function editInstance(call: Call, found: KubeObject, edit: Edit) {
  const { namespace, name } = call;
  const edited = (vmi: KubeObject) => ({ ...vmi, spec: edit(vmi.spec) });
  return write(call, { ...instances, namespace, name }, { found, edited });
}

function editMachine(call: Call, found: KubeObject, edit: Edit) {
  const { namespace, name } = call;
  const edited = (vm: KubeObject) => {
    const { template } = vm.spec;
    return { ...vm, spec: { ...vm.spec, template: { ...template, spec: edit(template.spec) } } };
  };
  return write(call, { ...virtualMachines, namespace, name }, { found, edited });
}

const editing =
  (of: (body: any, machine: string) => Edit): Handler =>
  async (call) => {
    const edit = of(call.body, call.name);
    if (call.resource === "virtualmachineinstances") {
      const vmi = await call.access.runningInstance(call);
      await editInstance(call, vmi, edit);
      return accepted;
    }
    const vm = await call.access.machine(call);
    const vmi = await call.access.instanceIfAny(call);
    // Refused for the machine before the instance is touched.
    edit(vm.spec.template.spec);
    if (vmi && !isFinal(vmi)) {
      if (vmi.status?.phase !== "Running")
        throw conflict(resource, call.name, "VMI is not running");
      await editInstance(call, vmi, edit);
    }
    await editMachine(call, vm, edit);
    return accepted;
  };

function requested({ name, disk, volumeSource }: any): VolumeRequest {
  if (!name) throw badRequest("AddVolumeOptions requires name to be set");
  if (!disk) throw badRequest("AddVolumeOptions requires disk to not be nil");
  if (!volumeSource) throw badRequest("AddVolumeOptions requires VolumeSource to not be nil");
  return { name, disk, volumeSource };
}

export const addvolume = editing((body, machine) => {
  const request = requested(body);
  return (spec) => withVolume(spec, request, machine);
});

export const removevolume = editing(({ name }, machine) => {
  if (!name) throw badRequest("RemoveVolumeOptions requires name to be set");
  return (spec) => withoutVolume(spec, name, machine);
});
