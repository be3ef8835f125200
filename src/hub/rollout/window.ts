// Maintenance windows: when a site may be changed. A site that no window names may be changed at any time; one
// that several name, in each of them. The site's own zone counts, as its label or claim says it.
import { isTimeZone, parseSchedule } from "../../lib/cron-schedule.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import type { LabelSelector } from "../../lib/label-selector.ts";
import { durationMs } from "../../lib/parse-duration.ts";
import { timeZoneClaim } from "../names.ts";
import type { Window } from "./model.ts";

export interface MaintenanceWindow {
  /** Five fields of cron: when it opens. */
  schedule: string;
  /** `4h`, `90m`. */
  duration: string;
  /** Default: the zone of the site. */
  timeZone?: string;
  siteSelector?: LabelSelector;
}

export interface WindowSite {
  labels: Record<string, string>;
  /** Of the IANA; anything else counts as UTC. */
  timeZone?: string;
}

/** A person's word, by annotation, counts for more than what the site claims of itself. */
export function windowSite(cluster: KubeObject | undefined): WindowSite {
  const { labels = {}, annotations } = cluster?.metadata ?? {};
  const claim = cluster?.status?.clusterClaims?.find((one: any) => one.name === timeZoneClaim);
  const timeZone = annotations?.["fleet.kerb.dev/time-zone"] ?? claim?.value;
  return { labels, ...(timeZone !== undefined && { timeZone }) };
}

/** What is wrong with a window; undefined when nothing is. */
export function faultOf({ schedule, duration, timeZone }: MaintenanceWindow): string | undefined {
  if (!durationMs(duration)) return `duration ${JSON.stringify(duration)} is no duration`;
  if (timeZone !== undefined && !isTimeZone(timeZone)) return `there is no time zone ${timeZone}`;
  try {
    parseSchedule(schedule, "UTC", 0);
    return undefined;
  } catch (error) {
    return `schedule ${JSON.stringify(schedule)}: ${(error as Error).message}`;
  }
}

/** A window with a fault is never open: nothing happens at a time that nobody meant. */
export function windowOf(windows: MaintenanceWindow[], site: WindowSite, now: number): Window {
  const named = windows.filter(({ siteSelector }) =>
    compileSelector(siteSelector ?? {})(site.labels),
  );
  if (named.length === 0) return { open: true };
  let opensAt = Infinity;
  for (const window of named) {
    if (faultOf(window)) continue;
    const asked = window.timeZone ?? site.timeZone ?? "UTC";
    const zone = isTimeZone(asked) ? asked : "UTC";
    const schedule = parseSchedule(window.schedule, zone, 0);
    if (schedule.last(now, now - (durationMs(window.duration) ?? 0)) !== undefined) {
      return { open: true };
    }
    opensAt = Math.min(opensAt, schedule.next(now) ?? Infinity);
  }
  return { open: false, opensAt };
}
