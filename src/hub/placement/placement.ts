// Keeps each Placement's PlacementDecisions as the plan has them.
import type { Client } from "../../client/client.ts";
import { controllerReference } from "../../controllers/pod-template.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { differs } from "../../lib/differs.ts";
import { isStatus } from "../../lib/status-error.ts";
import { withConditions } from "../../lib/conditions.ts";
import {
  addOnPlacementScores,
  managedClusters,
  managedClusterSetBindings,
  managedClusterSets,
  placementDecisions,
  placements,
} from "../kinds/resources.ts";
import { placementLabel } from "./groups.ts";
import type { DecisionObject } from "./groups.ts";
import type {
  AddOnPlacementScore,
  CelMatch,
  ManagedCluster,
  ManagedClusterSet,
  Placement,
} from "./model.ts";
import { planPlacement } from "./plan.ts";
import type { PlacementPlan, PlacementState } from "./plan.ts";

/** Timers that wait longer look again. */
const wakeMsMax = 3_600_000;

const all = (_: KubeObject, { informer }: ControllerContext) =>
  informer(placements)
    .list()
    .map(({ metadata }) => `${metadata.namespace}/${metadata.name}`);
const sameNamespace = ({ metadata }: KubeObject, { informer }: ControllerContext) =>
  informer(placements)
    .list(metadata.namespace)
    .map((one) => `${one.metadata.namespace}/${one.metadata.name}`);
const decidedFor = ({ metadata }: KubeObject) => {
  const placement = metadata.labels?.[placementLabel];
  return placement ? [`${metadata.namespace}/${placement}`] : [];
};

const clustersOf = (decision: KubeObject): string[] =>
  (decision.status?.decisions ?? []).map(({ clusterName }: any) => clusterName);

function stateOf(
  placement: Placement,
  { informer, clock }: ControllerContext,
  cel: CelMatch,
): PlacementState & { known: KubeObject[] } {
  const { name, namespace } = placement.metadata;
  const decisions = informer(placementDecisions).list();
  const isOwn = ({ metadata }: KubeObject) =>
    metadata.namespace === namespace && metadata.labels?.[placementLabel] === name;
  const load = new Map<string, number>();
  for (const cluster of decisions.filter((one) => !isOwn(one)).flatMap(clustersOf)) {
    load.set(cluster, (load.get(cluster) ?? 0) + 1);
  }
  const known = decisions.filter(isOwn);
  const scores = informer(addOnPlacementScores).list() as (KubeObject & AddOnPlacementScore)[];
  const sets = informer(managedClusterSets).list() as (KubeObject & ManagedClusterSet)[];
  return {
    placement,
    clusters: informer(managedClusters).list() as ManagedCluster[],
    sets,
    bound: informer(managedClusterSetBindings)
      .list(namespace)
      .map(({ spec }) => spec.clusterSet),
    chosen: new Set(known.flatMap(clustersOf)),
    load,
    addOnScores: new Map(
      scores.map((one) => [`${one.metadata.namespace}/${one.metadata.name}`, one]),
    ),
    cel,
    now: clock.now(),
    known,
  };
}

async function putDecision(
  client: Client,
  placement: Placement,
  wanted: DecisionObject,
  have: KubeObject | undefined,
) {
  const { namespace } = placement.metadata;
  const { name, labels, decisions } = wanted;
  const target = { ...placementDecisions, namespace, name };
  if (!have) {
    const ownerReferences = [controllerReference(placement)];
    await client.create(
      { ...placementDecisions, namespace },
      {
        apiVersion: "cluster.open-cluster-management.io/v1beta1",
        kind: "PlacementDecision",
        metadata: { name, namespace, labels, ownerReferences },
      },
    );
  } else if (differs(labels, have.metadata.labels)) {
    await client.patch(target, "merge", { metadata: { labels } });
  }
  if (!differs(decisions, have?.status?.decisions)) return;
  await client.patch({ ...target, subresource: "status" }, "merge", { status: { decisions } });
}

async function putDecisions(
  client: Client,
  placement: Placement,
  wanted: DecisionObject[],
  known: KubeObject[],
) {
  for (const one of wanted) {
    const have = known.find(({ metadata }) => metadata.name === one.name);
    await putDecision(client, placement, one, have);
  }
  const names = new Set(wanted.map(({ name }) => name));
  for (const { metadata } of known.filter((one) => !names.has(one.metadata.name))) {
    const { namespace, name } = metadata;
    await client
      .delete({ ...placementDecisions, namespace: namespace!, name })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
  }
}

async function putStatus(
  { client, clock }: ControllerContext,
  placement: Placement,
  { status, conditions }: PlacementPlan,
) {
  const have: any = placement["status"];
  const wanted = {
    ...status,
    conditions: withConditions(have?.conditions, conditions, clock.now()),
  };
  if (!differs(wanted, have)) return;
  const { namespace, name } = placement.metadata;
  const target = { ...placements, namespace, name, subresource: "status" };
  await client.patch(target, "merge", { status: wanted });
}

export const placement = (cel: CelMatch): Controller => ({
  name: "placement",
  inputs: [
    { resource: placements },
    { resource: placementDecisions, keys: decidedFor },
    { resource: managedClusters, keys: all },
    { resource: managedClusterSets, keys: all },
    { resource: managedClusterSetBindings, keys: sameNamespace },
    { resource: addOnPlacementScores, keys: all },
  ],
  outputs: [placements, placementDecisions],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const one = context.informer(placements).get(name, namespace) as Placement | undefined;
    if (!one || one.metadata["deletionTimestamp"]) return;
    const { known, ...state } = stateOf(one, context, cel);
    const plan = planPlacement(state);
    if (plan.decisions) await putDecisions(context.client, one, plan.decisions, known);
    await putStatus(context, one, plan);
    const { wakeAt } = plan;
    if (wakeAt === undefined) return;
    context.wakeAfter(key, Math.min(Math.max(wakeAt - state.now, 0) + 1, wakeMsMax));
  },
});
