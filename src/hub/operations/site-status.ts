// What a Site says, from what the hub knows of it. Pure.
import type { KubeObject } from "../../kinds/object.ts";
import { isTrue } from "../../lib/conditions.ts";
import { isActive } from "../alarms/plan.ts";
import type { Alarm } from "../kinds/alarm.ts";
import type { ContentSync, SiteStatus, SyncState } from "../kinds/site.ts";
import type { SiteOperation } from "../kinds/site-operation.ts";
import { hasDeparted } from "../member/departure.ts";
import { versionClaim } from "../names.ts";
import { availableType } from "../registration/availability.ts";
import { isFinished } from "./site-view.ts";

export interface SiteFacts {
  cluster: KubeObject;
  works: KubeObject[];
  alarms: Alarm[];
  operations: SiteOperation[];
  /** All of them: the newest version among them is what a site should have. */
  clusters: KubeObject[];
}

const namesMax = 3;

const versionOf = ({ status }: KubeObject): string | undefined =>
  status?.clusterClaims?.find(({ name }: any) => name === versionClaim)?.value;

function availabilityOf({ spec, status }: KubeObject): SiteStatus["availability"] {
  if (hasDeparted(status?.conditions)) return "Departed";
  if (!spec?.hubAcceptsClient || !isTrue(status?.conditions, "ManagedClusterJoined"))
    return "Pending";
  return isTrue(status?.conditions, availableType) ? "Online" : "Offline";
}

function worksSync(works: KubeObject[]): ContentSync {
  const behind = works.filter(({ metadata, status }) => {
    const applied = status?.conditions?.find((one: any) => one.type === "Applied");
    return applied?.status !== "True" || applied.observedGeneration !== metadata.generation;
  });
  const content = "Works";
  if (behind.length === 0) return { content, state: "InSync", message: `${works.length} applied` };
  const names = behind.slice(0, namesMax).map(({ metadata }) => metadata.name);
  const more = behind.length > namesMax ? ` and ${behind.length - namesMax} more` : "";
  return { content, state: "OutOfSync", message: `not applied: ${names.join(", ")}${more}` };
}

/** By the numbers of `1.2.3`; whatever is no version is the oldest. */
function compareVersions(a: string, b: string): number {
  const numbers = (text: string) => (/^(\d+)\.(\d+)\.(\d+)/.exec(text) ?? []).slice(1).map(Number);
  const [left, right] = [numbers(a), numbers(b)];
  for (let i = 0; i < 3; i++) {
    const apart = (left[i] ?? -1) - (right[i] ?? -1);
    if (apart !== 0) return apart;
  }
  return 0;
}

function versionSync(version: string, clusters: KubeObject[]): ContentSync {
  const newest = clusters
    .map((one) => versionOf(one) ?? "")
    .reduce((one, other) => (compareVersions(one, other) >= 0 ? one : other), "");
  if (compareVersions(version, newest) >= 0) {
    return { content: "Version", state: "InSync", message: version };
  }
  return {
    content: "Version",
    state: "OutOfSync",
    message: `${version}, other sites have ${newest}`,
  };
}

export function siteStatus({
  cluster,
  works,
  alarms,
  operations,
  clusters,
}: SiteFacts): SiteStatus {
  const availability = availabilityOf(cluster);
  const version = versionOf(cluster);
  const told = [worksSync(works), ...(version ? [versionSync(version, clusters)] : [])];
  // What a site that is not heard has now nobody knows.
  const contents =
    availability === "Online"
      ? told
      : told.map((one): ContentSync => ({ ...one, state: "Unknown" }));
  const worst = (["OutOfSync", "Unknown"] as SyncState[]).find((state) =>
    contents.some((one) => one.state === state),
  );
  const count = (severity: string) =>
    alarms.filter((one) => isActive(one) && !one.spec.suppressed && one.spec.severity === severity)
      .length;
  const running = operations.find((one) => !isFinished(one));
  return {
    availability,
    sync: worst ?? "InSync",
    contents,
    ...(version && { version }),
    alarms: {
      critical: count("critical"),
      major: count("major"),
      minor: count("minor"),
      warning: count("warning"),
    },
    operation: running
      ? [running.spec.type, running.status?.step].filter(Boolean).join(": ")
      : null,
  };
}
