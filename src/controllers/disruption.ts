// Keeps the status of PodDisruptionBudgets true: how many of their pods may be evicted now.
import { keyOf } from "../client/cache.ts";
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { controllerOf } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { jsonEqual } from "../lib/json.ts";
import { compileSelector } from "../lib/label-selector.ts";
import { isStatus } from "../lib/status-error.ts";
import { nextLookMs, planDisruption } from "./disruption/plan.ts";
import type { Controller, ControllerContext, Input } from "./runtime.ts";

const budgets = resource("policy/v1", "poddisruptionbudgets");
const pods = resource("v1", "pods");
const replicaSets = resource("apps/v1", "replicasets");

/** The kinds whose objects say how many pods they want. */
const counted: Record<string, ReturnType<typeof resource>> = {
  Deployment: resource("apps/v1", "deployments"),
  ReplicaSet: replicaSets,
  ReplicationController: resource("v1", "replicationcontrollers"),
  StatefulSet: resource("apps/v1", "statefulsets"),
};

/** The budgets that a pod counts for, now or before. */
const budgetsOf: NonNullable<Input["keys"]> = (pod, { informer }, previous) => {
  const labels = [pod.metadata.labels, previous?.metadata.labels];
  return informer(budgets)
    .list(pod.metadata.namespace)
    .filter(({ spec }) => labels.some((one) => compileSelector(spec.selector)(one)))
    .map(keyOf);
};

/** A change of a controller's size is a change for all budgets of its namespace. */
const allOfNamespace: NonNullable<Input["keys"]> = ({ metadata }, { informer }, previous) =>
  previous ? informer(budgets).list(metadata.namespace).map(keyOf) : [];

/** Who decides over a pod's number: its controller, and a ReplicaSet's Deployment. */
function deciderOf(pod: KubeObject, { informer }: ControllerContext): KubeObject | undefined {
  const owner = controllerOf(pod);
  const kind = owner && counted[owner.kind];
  const found = kind && informer(kind).get(owner.name, pod.metadata.namespace);
  if (!found || found.metadata.uid !== owner!.uid) return undefined;
  const above = controllerOf(found);
  if (owner!.kind !== "ReplicaSet" || above?.kind !== "Deployment") return found;
  return informer(counted["Deployment"]!).get(above.name, pod.metadata.namespace) ?? found;
}

/** Undefined when a pod's controller is none that says. */
function wantedBy(all: KubeObject[], context: ControllerContext): number | undefined {
  const deciders = new Map<string, number>();
  for (const pod of all) {
    const decider = deciderOf(pod, context);
    if (!decider) return undefined;
    deciders.set(decider.metadata.uid, decider.spec.replicas ?? 1);
  }
  return [...deciders.values()].reduce((sum, replicas) => sum + replicas, 0);
}

export const disruptionController: Controller = {
  name: "disruption",
  inputs: [
    { resource: budgets },
    { resource: pods, keys: budgetsOf },
    ...Object.values(counted).map((one) => ({ resource: one, keys: allOfNamespace })),
  ],
  outputs: [{ ...budgets, resource: "poddisruptionbudgets/status" }],
  async reconcile(key, context) {
    const { client, clock, informer, wakeAfter } = context;
    const [namespace, name] = key.split("/") as [string, string];
    const budget = informer(budgets).get(name, namespace);
    if (!budget || budget.metadata.deletionTimestamp) return;
    const matches = compileSelector(budget.spec.selector);
    const selected = informer(pods)
      .list(namespace)
      .filter(({ metadata }) => matches(metadata.labels));
    const nowMs = clock.now();
    const status = planDisruption({
      budget,
      pods: selected,
      wanted: wantedBy(selected, context),
      nowMs,
      now: timestamp(nowMs),
    });
    const again = nextLookMs(status, nowMs);
    if (again !== undefined) wakeAfter(key, again);
    if (jsonEqual(status, budget.status)) return;
    try {
      const target = { ...budgets, namespace, name, subresource: "status" };
      await client.update(target, { ...budget, status });
    } catch (error) {
      // An eviction was granted in between: it wakes this key again, with what it took.
      if (!isStatus(error, "Conflict", "NotFound")) throw error;
    }
  },
};
