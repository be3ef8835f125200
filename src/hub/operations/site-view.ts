// A site as strategies see it, from what the hub knows. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { isTrue } from "../../lib/conditions.ts";
import type { Alarm } from "../kinds/alarm.ts";
import type { Operation } from "../kinds/operation.ts";
import type { Site } from "../kinds/site.ts";
import type { SiteOperation } from "../kinds/site-operation.ts";
import { blockedSites } from "../alarms/blocks.ts";
import { availableType } from "../registration/availability.ts";
import { windowOf, windowSite } from "../rollout/window.ts";
import type { MaintenanceWindow } from "../rollout/window.ts";
import type { SiteView } from "./plan.ts";

export const strategyLabel = "fleet.kerb.dev/strategy";

export interface Known {
  clusters: KubeObject[];
  sites: Site[];
  windows: MaintenanceWindow[];
  alarms: Alarm[];
  operations: SiteOperation[];
  now: number;
}

/** What changes nothing that runs need not wait for a window. */
const harmless: Operation["type"][] = ["PrestageImages", "Backup"];

export const isFinished = ({ status }: SiteOperation) =>
  status?.phase === "Complete" || status?.phase === "Failed";

export interface Views {
  views: Map<string, SiteView>;
  /** When the next window opens; wall clock, ms. */
  wakeAt: number;
}

/** For the strategy of this name. */
export function siteViews(known: Known, strategy: string, type: Operation["type"]): Views {
  const { clusters, sites, windows, alarms, operations, now } = known;
  const managed = new Map(sites.map(({ metadata, spec }) => [metadata.name, spec.management]));
  const blocked = blockedSites(alarms);
  const busy = new Map<string, string>();
  for (const one of operations) {
    const { namespace, name, labels } = one.metadata;
    if (isFinished(one) || labels?.[strategyLabel] === strategy) continue;
    busy.set(namespace!, `${one.spec.type} (${labels?.[strategyLabel] ?? name})`);
  }
  let wakeAt = Infinity;
  const views = new Map<string, SiteView>();
  for (const cluster of clusters) {
    const { name, deletionTimestamp } = cluster.metadata;
    if (!cluster.spec?.hubAcceptsClient || deletionTimestamp) continue;
    const window = windowOf(windows, windowSite(cluster), now);
    const isOpen = harmless.includes(type) || window.open;
    if (!isOpen && !window.open) wakeAt = Math.min(wakeAt, window.opensAt);
    const [why, who] = [blocked.get(name), busy.get(name)];
    views.set(name, {
      name,
      isManaged: managed.get(name) !== "Unmanaged",
      isOnline: isTrue(cluster.status?.conditions, availableType),
      isOpen,
      ...(why !== undefined && { blocked: why }),
      ...(who !== undefined && { busy: who }),
    });
  }
  return { views, wakeAt };
}
