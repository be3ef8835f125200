// Carries strategies out: makes the SiteOperations that the plan begins, and writes down how far all is.
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { differs } from "../../lib/differs.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { Alarm } from "../kinds/alarm.ts";
import {
  alarms,
  maintenanceWindows,
  siteGroups,
  siteOperations,
  sites,
  updateStrategies,
} from "../kinds/fleet.ts";
import { managedClusters } from "../kinds/resources.ts";
import type { Site } from "../kinds/site.ts";
import type { SiteGroupSpec } from "../kinds/site-group.ts";
import type { SiteOperation } from "../kinds/site-operation.ts";
import type { StrategyStatus, UpdateStrategy } from "../kinds/update-strategy.ts";
import { planStrategy } from "./plan.ts";
import { siteViews, strategyLabel } from "./site-view.ts";

const wakeMsMax = 3_600_000;
const settleMs = 300;

/** The same after a crash: a site is asked once. */
const operationName = ({ metadata }: UpdateStrategy) =>
  `${metadata.name}-${metadata.uid.slice(0, 8)}`;

async function ask({ client }: ControllerContext, strategy: UpdateStrategy, site: string) {
  const { name, uid } = strategy.metadata;
  const { apiVersion, kind } = strategy;
  const draft = {
    apiVersion,
    kind: "SiteOperation",
    metadata: {
      name: operationName(strategy),
      namespace: site,
      labels: { [strategyLabel]: name },
      ownerReferences: [{ apiVersion, kind, name, uid }],
    },
    spec: strategy.spec.operation,
  };
  await client.create({ ...siteOperations, namespace: site }, draft).catch((error: unknown) => {
    if (!isStatus(error, "AlreadyExists")) throw error;
  });
}

async function write(
  { client }: ControllerContext,
  strategy: UpdateStrategy,
  status: StrategyStatus,
) {
  if (!differs(status, strategy.status)) return;
  const { name, resourceVersion } = strategy.metadata;
  const body = { metadata: { resourceVersion }, status };
  await client.patch({ ...updateStrategies, name, subresource: "status" }, "merge", body);
}

/** The group's pace and choice; undefined when there is no such group. */
function groupOf(strategy: UpdateStrategy, context: ControllerContext): SiteGroupSpec | undefined {
  const { group } = strategy.spec;
  if (group === undefined) return {};
  return context.informer(siteGroups).get(group)?.spec as SiteGroupSpec | undefined;
}

async function reconcile(name: string, context: ControllerContext) {
  const { clock, informer, wakeAfter } = context;
  const strategy = informer(updateStrategies).get(name) as UpdateStrategy | undefined;
  if (!strategy || strategy.metadata.deletionTimestamp) return;
  const { spec, status } = strategy;
  const group = groupOf(strategy, context);
  if (!group) {
    const message = `there is no SiteGroup ${spec.group}`;
    return write(context, strategy, { state: "Failed", message, done: 0, total: 0, sites: [] });
  }
  const clusters = informer(managedClusters).list();
  const operations = informer(siteOperations).list() as SiteOperation[];
  const known = {
    clusters,
    operations,
    sites: informer(sites).list() as Site[],
    windows: informer(maintenanceWindows)
      .list()
      .map((one) => one.spec),
    alarms: informer(alarms).list() as Alarm[],
    now: clock.now(),
  };
  const { views, wakeAt } = siteViews(known, name, spec.operation.type);
  const selectors = [group.siteSelector, spec.siteSelector].map((one) =>
    compileSelector(one ?? {}),
  );
  const chosen = clusters.flatMap(({ metadata }) => {
    const isChosen = selectors.every((matches) => matches(metadata.labels ?? {}));
    return (isChosen && views.get(metadata.name)) || [];
  });
  const own = operations.filter(({ metadata }) => metadata.name === operationName(strategy));
  const plan = planStrategy({
    ...{ spec, status, chosen, sites: views, pace: group },
    operations: new Map(own.map((one) => [one.metadata.namespace!, one.status ?? {}])),
  });
  // Chosen before asked: a hub that crashes in between asks the same sites.
  await write(context, strategy, plan.status);
  for (const site of plan.start) await ask(context, strategy, site);
  const isOver = ["Complete", "Failed", "Aborted"].includes(plan.status.state);
  if (!isOver && wakeAt !== Infinity) {
    wakeAfter(name, Math.min(Math.max(wakeAt - clock.now(), 0) + 1, wakeMsMax));
  }
}

/** Whatever changes, all that are not over look again, a moment later. */
const everyOpen = (_: KubeObject, { informer, wakeAfter }: ControllerContext) => {
  for (const { metadata, status } of informer(updateStrategies).list()) {
    const state = (status as StrategyStatus | undefined)?.state;
    if (state !== "Complete" && state !== "Aborted") wakeAfter(metadata.name, settleMs);
  }
  return [];
};

/** A site's heartbeat is no news. */
const ofCluster = (cluster: KubeObject, context: ControllerContext, previous?: KubeObject) => {
  const facts = ({ metadata, spec, status }: KubeObject) =>
    JSON.stringify([metadata.labels, metadata.annotations, spec, status?.conditions]);
  return previous && facts(previous) === facts(cluster) ? [] : everyOpen(cluster, context);
};

export const updateStrategy: Controller = {
  name: "update-strategy",
  inputs: [
    { resource: updateStrategies },
    { resource: siteOperations, keys: everyOpen },
    { resource: siteGroups, keys: everyOpen },
    { resource: sites, keys: everyOpen },
    { resource: maintenanceWindows, keys: everyOpen },
    { resource: alarms, keys: everyOpen },
    { resource: managedClusters, keys: ofCluster },
  ],
  outputs: [updateStrategies, siteOperations],
  reconcile,
};
