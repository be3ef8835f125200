// ReplicaSet and ReplicationController: so many pods of one template. The two differ in their selector's
// shape alone, so one function makes both.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { jsonEqual } from "../lib/json.ts";
import { isStatus } from "../lib/status-error.ts";
import { claim, ownerKeys, pods } from "./claim.ts";
import { expectationsOf } from "./expectations.ts";
import { podFromTemplate } from "./pod-template.ts";
import { planReplicas, replicaStatus } from "./replica-set/plan.ts";
import type { Plan } from "./replica-set/plan.ts";
import type { Controller, ControllerContext, Key } from "./runtime.ts";

export const replicaSets = resource("apps/v1", "replicasets");

interface Failure {
  reason: string;
  message: string;
}

/** Creates in doubling batches, so that a quota or a broken template fails once and not a thousand times. */
async function createPods(count: number, key: Key, set: KubeObject, context: ControllerContext) {
  const { client, event } = context;
  const draft = podFromTemplate(set, set.spec.template);
  const expectations = expectationsOf(context);
  const createOne = async () => {
    const pod = await client.create({ ...pods, namespace: set.metadata.namespace }, draft);
    expectations.created(key, pod);
    event(set, "Normal", "SuccessfulCreate", `Created pod: ${pod.metadata.name}`);
  };
  for (let left = count, batch = 1; left > 0; left -= batch, batch *= 2) {
    const results = await Promise.allSettled(
      Array.from({ length: Math.min(batch, left) }, createOne),
    );
    const failed = results.find((result) => result.status === "rejected");
    if (!failed) continue;
    const message = failed.reason instanceof Error ? failed.reason.message : String(failed.reason);
    event(set, "Warning", "FailedCreate", `Error creating: ${message}`);
    throw failed.reason;
  }
}

async function deletePods(
  doomed: KubeObject[],
  key: Key,
  set: KubeObject,
  context: ControllerContext,
) {
  const expectations = expectationsOf(context);
  await Promise.all(
    doomed.map(async (pod) => {
      const { name, namespace, uid } = pod.metadata;
      expectations.deleted(key, pod);
      await context.client
        .delete({ ...pods, namespace, name }, { preconditions: { uid } })
        .catch((error: unknown) => {
          expectations.forget(key);
          if (isStatus(error, "NotFound", "Conflict")) return;
          const message = `Error deleting: ${(error as Error).message}`;
          context.event(set, "Warning", "FailedDelete", message);
          throw error;
        });
      context.event(set, "Normal", "SuccessfulDelete", `Deleted pod: ${name}`);
    }),
  );
}

async function act(plan: Plan, key: Key, set: KubeObject, context: ControllerContext) {
  if (plan.create > 0) await createPods(plan.create, key, set, context);
  await deletePods(plan.delete, key, set, context);
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
        await act(plan, key, set, context).catch((error: unknown) => {
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
