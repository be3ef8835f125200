// Keeps one Site for each ManagedCluster, and says in SiteGroups how many they choose.
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { differs } from "../../lib/differs.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import { isStatus } from "../../lib/status-error.ts";
import type { Alarm } from "../kinds/alarm.ts";
import { alarms, siteGroups, siteOperations, sites } from "../kinds/fleet.ts";
import { managedClusters, manifestWorks } from "../kinds/resources.ts";
import type { SiteOperation } from "../kinds/site-operation.ts";
import { siteStatus } from "./site-status.ts";

const settleMs = 500;
const groupKey = "group/";

async function keep(name: string, context: ControllerContext) {
  const { client, informer } = context;
  const cluster = informer(managedClusters).get(name);
  const site = informer(sites).get(name);
  if (!cluster || cluster.metadata.deletionTimestamp) {
    if (!site) return;
    return void (await client.delete({ ...sites, name }).catch((error: unknown) => {
      if (!isStatus(error, "NotFound")) throw error;
    }));
  }
  if (!site) {
    const draft = {
      apiVersion: `${sites.group}/${sites.version}`,
      kind: "Site",
      metadata: { name },
      spec: {},
    };
    return void (await client.create(sites, draft).catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
    }));
  }
  const status = siteStatus({
    cluster,
    works: informer(manifestWorks).list(name),
    alarms: informer(alarms).list(name) as Alarm[],
    operations: informer(siteOperations).list(name) as SiteOperation[],
    clusters: informer(managedClusters).list(),
  });
  if (!differs(status, site.status)) return;
  await client.patch({ ...sites, name, subresource: "status" }, "merge", { status });
}

async function count(name: string, { client, informer }: ControllerContext) {
  const group = informer(siteGroups).get(name);
  if (!group) return;
  const matches = compileSelector(group.spec?.siteSelector ?? {});
  const found = informer(managedClusters)
    .list()
    .filter(({ metadata }) => matches(metadata.labels ?? {})).length;
  if (group.status?.sites === found) return;
  const target = { ...siteGroups, name, subresource: "status" };
  await client.patch(target, "merge", { status: { sites: found } });
}

/** Bursts of changes in a site's namespace are looked at once. */
const soon = ({ metadata }: KubeObject, { wakeAfter }: ControllerContext) => {
  wakeAfter(metadata.namespace!, settleMs);
  return [];
};

export const site: Controller = {
  name: "site",
  inputs: [
    {
      resource: managedClusters,
      keys: ({ metadata }, { informer, wakeAfter }) => {
        for (const group of informer(siteGroups).list()) {
          wakeAfter(groupKey + group.metadata.name, settleMs);
        }
        return [metadata.name];
      },
    },
    { resource: sites },
    { resource: siteGroups, keys: ({ metadata }) => [groupKey + metadata.name] },
    { resource: manifestWorks, keys: soon },
    { resource: alarms, keys: soon },
    { resource: siteOperations, keys: soon },
  ],
  outputs: [sites, siteGroups],
  async reconcile(key, context) {
    if (key.startsWith(groupKey)) return count(key.slice(groupKey.length), context);
    await keep(key, context);
  },
};
