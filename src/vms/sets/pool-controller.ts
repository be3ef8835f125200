// VirtualMachinePool: so many machines of one template, by number. A changed template reaches the machines, and
// their guests when they start next.
import { claim, ownerKeys } from "../../controllers/claim.ts";
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { jsonEqual } from "../../lib/json.ts";
import { isStatus } from "../../lib/status-error.ts";
import { pools, virtualMachines } from "../kinds/resources.ts";
import { planPool, poolMachine, setStatus } from "./plan.ts";

async function fill(pool: KubeObject, own: KubeObject[], context: ControllerContext) {
  const { client, event } = context;
  const { namespace } = pool.metadata;
  const plan = planPool(pool, own);
  for (const ordinal of plan.create) {
    const draft = poolMachine(pool, ordinal);
    draft.metadata!.ownerReferences = [controllerReference(pool)];
    const made = await client
      .create({ ...virtualMachines, namespace }, draft)
      .catch((error: unknown) => {
        // Ours, not in the cache yet, or a stranger's.
        if (!isStatus(error, "AlreadyExists")) throw error;
      });
    if (made)
      event(pool, "Normal", "SuccessfulCreate", `Created VM ${namespace}/${made.metadata.name}`);
  }
  for (const { metadata } of plan.delete) {
    const target = { ...virtualMachines, namespace, name: metadata.name };
    await client
      .delete(target, { preconditions: { uid: metadata.uid }, propagationPolicy: "Foreground" })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound", "Conflict")) throw error;
      });
    event(pool, "Normal", "SuccessfulDelete", `Deleted VM ${namespace}/${metadata.name}`);
  }
}

async function update(pool: KubeObject, own: KubeObject[], { client }: ControllerContext) {
  if (pool.spec.updateStrategy?.unmanaged || pool.spec.paused) return;
  for (const vm of own) {
    const { name, namespace, deletionTimestamp } = vm.metadata;
    const ordinal = Number(name.slice(pool.metadata.name.length + 1));
    if (deletionTimestamp || !Number.isInteger(ordinal)) continue;
    const { template } = poolMachine(pool, ordinal)["spec"];
    if (jsonEqual(template, vm.spec.template)) continue;
    const next = { ...vm, spec: { ...vm.spec, template } };
    await client.update({ ...virtualMachines, namespace, name }, next);
  }
}

export const poolController: Controller = {
  name: "virtual-machine-pool",
  inputs: [
    { resource: pools },
    { resource: virtualMachines, keys: ownerKeys(pools, "VirtualMachinePool") },
  ],
  outputs: [virtualMachines, { ...pools, resource: "virtualmachinepools/status" }],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const pool = context.informer(pools).get(name, namespace);
    if (!pool) return;
    const own = await claim(pool, virtualMachines, context);
    if (!pool.metadata.deletionTimestamp) {
      await fill(pool, own, context);
      await update(pool, own, context);
    }
    const status = setStatus(pool, own);
    if (jsonEqual(status, pool.status)) return;
    const target = { ...pools, namespace, name, subresource: "status" };
    await context.client.update(target, { ...pool, status });
  },
};
