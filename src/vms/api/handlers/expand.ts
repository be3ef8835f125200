// expand-spec and expand-vm-spec: a machine with its instance type and preference filled in.
import type { KubeObject } from "../../../kinds/object.ts";
import { badRequest, invalid } from "../../../lib/status-error.ts";
import { expand } from "../../instancetype/expand.ts";
import { sizingOf } from "../../instancetype/sizing.ts";
import type { Access } from "../access.ts";
import type { Call, Handler } from "../handler.ts";

/** With its instance type and preference filled in. Throws Invalid. */
export async function expandedMachine({ client }: Access, vm: KubeObject): Promise<KubeObject> {
  const sizing = await sizingOf(client, vm);
  const { spec, errors } = expand(vm.spec.template.spec, sizing);
  const name = vm.metadata.name ?? "";
  if (errors.length > 0) throw invalid("VirtualMachine", "kubevirt.io", name, errors);
  const { instancetype: _, preference: __, template, ...rest } = vm.spec;
  const { managedFields: ___, ...metadata } = vm.metadata;
  return { ...vm, metadata, spec: { ...rest, template: { ...template, spec } } };
}

const expanded = async ({ access }: Call, vm: KubeObject) => ({
  code: 200,
  json: await expandedMachine(access, vm),
});

export const expandSpec: Handler = async (call) => expanded(call, await call.access.machine(call));

export const expandVmSpec: Handler = async (call) => {
  const { body, namespace } = call;
  if (!body.spec?.template?.spec?.domain) {
    throw badRequest("Object is not a valid VirtualMachine");
  }
  if (body.metadata?.namespace && body.metadata.namespace !== namespace) {
    throw badRequest("VM namespace must be empty or the same as in the path");
  }
  return expanded(call, { ...body, metadata: { ...body.metadata, namespace } });
};
