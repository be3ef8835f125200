// ReplicaSet and ReplicationController: so many pods of one template. The two differ in their selector's
// shape alone, so one function makes both.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { jsonEqual } from "../lib/json.ts";
import { claim, ownerKeys, pods } from "./claim.ts";
import { expectationsOf } from "./expectations.ts";
import { PodControl } from "./pod-control.ts";
import { podFromTemplate } from "./pod-template.ts";
import { planReplicas, replicaStatus } from "./replica-set/plan.ts";
import type { Plan } from "./replica-set/plan.ts";
import type { Controller, ControllerContext, Key } from "./runtime.ts";

export const replicaSets = resource("apps/v1", "replicasets");

interface Failure {
  reason: string;
  message: string;
}

function act(plan: Plan, set: KubeObject, control: PodControl) {
  const draft = podFromTemplate(set, set.spec.template);
  const drafts = Array.from({ length: plan.create }, () => draft);
  return Promise.all([control.create(drafts), ...plan.delete.map((pod) => control.delete(pod))]);
}

function replicas(name: string, kind: string, owners: typeof replicaSets): Controller {
  async function reconcile(key: Key, context: ControllerContext) {
    const { client, clock } = context;
    const [namespace, setName] = key.split("/") as [string, string];
    const set = context.informer(owners).get(setName, namespace);
    if (!set) return expectationsOf(context).forget(key);
    const own = await claim(set, pods, context);
    let failure: Failure | undefined;
    let thrown: unknown;
    if (!set.metadata.deletionTimestamp) {
      if (expectationsOf(context).met(key, context.informer(pods))) {
        const plan = planReplicas(set, own);
        await act(plan, set, new PodControl(set, key, context)).catch((error: unknown) => {
          thrown = error;
          const reason = plan.create > 0 ? "FailedCreate" : "FailedDelete";
          failure = { reason, message: (error as Error).message };
        });
      } else context.wakeAfter(key, 1000);
    }
    const now = clock.now();
    const { status, wakeAfterMs } = replicaStatus(set, own, {
      now,
      time: timestamp(now),
      ...(failure && { failure }),
    });
    if (!jsonEqual({ ...set.status, ...status }, set.status)) {
      const target = { ...owners, namespace, name: setName, subresource: "status" };
      await client.patch(target, "merge", { status });
    }
    if (wakeAfterMs !== undefined) context.wakeAfter(key, wakeAfterMs);
    if (thrown) throw thrown;
  }
  return {
    name,
    inputs: [{ resource: owners }, { resource: pods, keys: ownerKeys(owners, kind) }],
    outputs: [pods, { ...owners, resource: `${owners.resource}/status` }],
    reconcile,
  };
}

export const replicaSetController = replicas("replica-set", "ReplicaSet", replicaSets);
export const replicationController = replicas(
  "replication-controller",
  "ReplicationController",
  resource("v1", "replicationcontrollers"),
);
