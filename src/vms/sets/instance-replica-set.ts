// VirtualMachineInstanceReplicaSet: so many VMIs of one template.
import { claim, ownerKeys } from "../../controllers/claim.ts";
import { expectationsOf } from "../../controllers/expectations.ts";
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Controller } from "../../controllers/runtime.ts";
import { jsonEqual } from "../../lib/json.ts";
import { isStatus } from "../../lib/status-error.ts";
import { instanceReplicaSets, instances } from "../kinds/resources.ts";
import { planInstances, setStatus } from "./plan.ts";

export const instanceReplicaSetController: Controller = {
  name: "virtual-machine-instance-replica-set",
  inputs: [
    { resource: instanceReplicaSets },
    {
      resource: instances,
      keys: ownerKeys(instanceReplicaSets, "VirtualMachineInstanceReplicaSet"),
    },
  ],
  outputs: [
    instances,
    { ...instanceReplicaSets, resource: "virtualmachineinstancereplicasets/status" },
  ],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const { client, informer, event } = context;
    const set = informer(instanceReplicaSets).get(name, namespace);
    const expectations = expectationsOf(context);
    if (!set) return expectations.forget(key);
    const own = await claim(set, instances, context);
    if (!set.metadata.deletionTimestamp) {
      if (!expectations.met(key, informer(instances))) return context.wakeAfter(key, 1000);
      const plan = planInstances(set, own);
      const { metadata, spec } = set.spec.template;
      for (let i = 0; i < plan.create; i++) {
        const made = await client.create(
          { ...instances, namespace },
          {
            apiVersion: "kubevirt.io/v1",
            kind: "VirtualMachineInstance",
            metadata: {
              generateName: `${name}-`,
              labels: { ...metadata?.labels },
              annotations: { ...metadata?.annotations },
              ownerReferences: [controllerReference(set)],
            },
            spec,
          },
        );
        expectations.created(key, made);
        event(
          set,
          "Normal",
          "SuccessfulCreate",
          `Started the virtual machine by creating the new virtual machine instance ${made.metadata.name}`,
        );
      }
      for (const { metadata: doomed } of plan.delete) {
        const target = { ...instances, namespace, name: doomed.name };
        await client
          .delete(target, { preconditions: { uid: doomed.uid } })
          .catch((error: unknown) => {
            if (!isStatus(error, "NotFound", "Conflict")) throw error;
          });
        event(
          set,
          "Normal",
          "SuccessfulDelete",
          `Stopped the virtual machine by deleting the virtual machine instance ${doomed.name}`,
        );
      }
    }
    const status = setStatus(set, own);
    if (jsonEqual(status, set.status)) return;
    const target = { ...instanceReplicaSets, namespace, name, subresource: "status" };
    await client.update(target, { ...set, status });
  },
};
