// memorydump, removememorydump: of a machine, to a claim that its status names from then on.
import { notFound, isStatus } from "../../../lib/status-error.ts";
import { claims, virtualMachines } from "../../kinds/resources.ts";
import { claimOf, dumpRequested, removalRequested } from "../../memory-dump/request.ts";
import type { DumpRequest } from "../../memory-dump/request.ts";
import { accepted } from "../handler.ts";
import type { Call, Handler } from "../handler.ts";

async function write({ access, namespace, name, dryRun }: Call, known: any, next: DumpRequest) {
  const path = "/status/memoryDumpRequest";
  const patch = [
    ...(known ? [{ op: "test", path, value: known }] : []),
    { op: "add", path, value: next },
  ];
  const target = { ...virtualMachines, namespace, name, subresource: "status" };
  await access.client.patch(target, "json", patch, { dryRun });
}

export const memorydump: Handler = async (call) => {
  const { access, namespace } = call;
  const vm = await access.machine(call);
  const name = claimOf(vm, call.body);
  const vmi = await access.runningInstance(call);
  const claim = await access.client.get({ ...claims, namespace, name }).catch((error: unknown) => {
    if (!isStatus(error, "NotFound")) throw error;
    throw notFound({ group: "kubevirt.io", resource: "persistentvolumeclaim" }, name);
  });
  await write(call, vm.status?.memoryDumpRequest, dumpRequested(vmi, claim));
  return accepted;
};

export const removememorydump: Handler = async (call) => {
  const vm = await call.access.machine(call);
  await write(call, vm.status?.memoryDumpRequest, removalRequested(vm));
  return accepted;
};
