// Makes a plan of Instances true.
import { apply } from "../../client/apply.ts";
import type { Client } from "../../client/client.ts";
import { isStatus } from "../../lib/status-error.ts";
import { instances } from "../kinds/instance.ts";
import type { InstancePlan } from "./plan-instances.ts";

const writesAtOnce = 16;

const gone = (error: unknown) => {
  if (!isStatus(error, "NotFound", "Conflict")) throw error;
};

/** Each node writes under its own name, so that a device's nodes add up. */
export async function applyPlan(client: Client, plan: InstancePlan, node: string) {
  for (let at = 0; at < plan.apply.length; at += writesAtOnce) {
    const some = plan.apply.slice(at, at + writesAtOnce);
    await Promise.all(some.map((one) => apply(client, instances, one, { fieldManager: node })));
  }
  for (const { metadata, spec } of plan.leave) {
    const { name, namespace, uid } = metadata;
    const { configurationName, cdiName, capacity, brokerProperties, shared } = spec;
    const kept = { configurationName, cdiName, capacity, brokerProperties, shared, nodes: [] };
    const { ownerReferences } = metadata;
    const draft = {
      apiVersion: "akri.sh/v0",
      kind: "Instance",
      metadata: { name, namespace, uid, ...(ownerReferences && { ownerReferences }) },
      spec: kept,
    };
    await apply(client, instances, draft as any, { fieldManager: node }).catch(gone);
  }
  for (const { metadata } of plan.remove) {
    const { name, namespace, uid, resourceVersion } = metadata;
    const preconditions = { uid, resourceVersion };
    // Another node may have found it meanwhile: then it stays.
    await client.delete({ ...instances, namespace, name }, { preconditions }).catch(gone);
  }
}
