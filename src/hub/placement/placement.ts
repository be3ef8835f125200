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
import { decisionsOf, writesOf } from "./decision-writes.ts";
import { placementLabel } from "./groups.ts";
import type { DecisionObject } from "./groups.ts";
import type {
  AddOnPlacementScore,
  CelMatch,
  ManagedCluster,
  ManagedClusterSet,
  Placement,
} from "./model.ts";
import { durationMs } from "../../lib/parse-duration.ts";
import { planPlacement } from "./plan.ts";
import type { PlacementPlan, PlacementState } from "./plan.ts";

/** Timers that wait longer look again. */
const wakeMsMax = 3_600_000;

/** Sites join and change by the thousand, and each look ranks them all. */
const settleMs = 100;
const scoreRateLimit = "1m";

const all = (_: KubeObject, { informer, wakeAfter }: ControllerContext) => {
  for (const { metadata } of informer(placements).list()) {
    wakeAfter(`${metadata.namespace}/${metadata.name}`, settleMs);
  }
  return [];
};
/** Scores come as often as whoever gives them likes; each placement says how often it minds. */
const byScore = (_: KubeObject, { informer, wakeAfter }: ControllerContext) => {
  for (const { metadata, spec } of informer(placements).list()) {
    const configurations: any[] = spec.prioritizerPolicy?.configurations ?? [];
    if (!configurations.some((one) => one.scoreCoordinate?.type === "AddOn")) continue;
    const ms = durationMs(spec.scoreRateLimit ?? scoreRateLimit) || settleMs;
    wakeAfter(`${metadata.namespace}/${metadata.name}`, ms);
  }
  return [];
};
const sameNamespace = ({ metadata }: KubeObject, { informer }: ControllerContext) =>
  informer(placements)
    .list(metadata.namespace)
    .map((one) => `${one.metadata.namespace}/${one.metadata.name}`);
const decidedFor = ({ metadata }: KubeObject) => {
  const placement = metadata.labels?.[placementLabel];
  return placement ? [`${metadata.namespace}/${placement}`] : [];
};

const clustersOf = (decision: KubeObject): string[] =>
  decisionsOf(decision).map(({ clusterName }) => clusterName);

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

/** Resolves with the object as it is now. */
async function putDecision(
  client: Client,
  placement: Placement,
  wanted: DecisionObject,
  have: KubeObject | undefined,
): Promise<KubeObject> {
  const { namespace } = placement.metadata;
  const { name, labels, decisions } = wanted;
  const target = { ...placementDecisions, namespace, name };
  let now = have;
  if (!now) {
    const ownerReferences = [controllerReference(placement)];
    now = await client.create(
      { ...placementDecisions, namespace },
      {
        apiVersion: "cluster.open-cluster-management.io/v1beta1",
        kind: "PlacementDecision",
        metadata: { name, namespace, labels, ownerReferences },
      },
    );
  } else if (differs(labels, now.metadata.labels)) {
    const { resourceVersion } = now.metadata;
    now = await client.patch(target, "merge", { metadata: { labels, resourceVersion } });
  }
  if (!differs(decisions, now.status?.decisions)) return now;
  const { resourceVersion } = now.metadata;
  const body = { metadata: { resourceVersion }, status: { decisions } };
  return client.patch({ ...target, subresource: "status" }, "merge", body);
}

const isWritten = (wanted: DecisionObject[], known: KubeObject[]) =>
  known.length === wanted.length &&
  wanted.every(({ name, labels, decisions }) => {
    const have = known.find(({ metadata }) => metadata.name === name);
    return (
      have && !differs(labels, have.metadata.labels) && !differs(decisions, have.status?.decisions)
    );
  });

async function putDecisions(client: Client, placement: Placement, wanted: DecisionObject[]) {
  const { name, namespace } = placement.metadata;
  const target = { ...placementDecisions, namespace };
  // What is cached may be older than the last writes, and the right order is that from what there is now.
  const { items } = await client.list(target, { labelSelector: `${placementLabel}=${name}` });
  const known = new Map(items.map((one) => [one.metadata.name, one]));
  for (const write of writesOf(wanted, items)) {
    if (write.object) {
      const have = known.get(write.name);
      known.set(write.name, await putDecision(client, placement, write.object, have));
      continue;
    }
    await client.delete({ ...target, name: write.name }).catch((error: unknown) => {
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
    { resource: addOnPlacementScores, keys: byScore },
  ],
  outputs: [placements, placementDecisions],
  async reconcile(key, context) {
    const [namespace, name] = key.split("/") as [string, string];
    const one = context.informer(placements).get(name, namespace) as Placement | undefined;
    if (!one || one.metadata["deletionTimestamp"]) return;
    const { known, ...state } = stateOf(one, context, cel);
    const plan = planPlacement(state);
    const { decisions } = plan;
    if (decisions && !isWritten(decisions, known)) {
      await putDecisions(context.client, one, decisions);
    }
    await putStatus(context, one, plan);
    const { wakeAt } = plan;
    if (wakeAt === undefined) return;
    context.wakeAfter(key, Math.min(Math.max(wakeAt - state.now, 0) + 1, wakeMsMax));
  },
});
