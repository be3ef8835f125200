// A site whose lease has not moved for five of its durations is of unknown availability. What counts is when
// the hub saw the lease move, by the hub's own clock: a site's clock may say anything.
import type { Controller } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { timestamp } from "../../lib/clock.ts";
import { jsonEqual } from "../../lib/json.ts";
import type { Condition } from "../../lib/conditions.ts";
import { managedClusters } from "../kinds/resources.ts";
import { leaseName } from "../names.ts";
import { availableType, heardAtAnnotation, silenceTaintOf, silenceTaints } from "./availability.ts";
import { leases, writeConditions } from "./managed-cluster.ts";

const durationsMax = 5;
const defaultLeaseSeconds = 60;
const skewMsMax = 5 * defaultLeaseSeconds * 1000;

/** Taints that follow from the availability, by Open Cluster Management's names. Pure. */
export function taintsOf(cluster: KubeObject, now: string): any[] {
  const have: any[] = cluster.spec?.taints ?? [];
  const available = cluster.status?.conditions?.find(
    (one: Condition) => one.type === availableType,
  );
  const key = silenceTaintOf[available?.status as string];
  const others = have.filter((one) => !silenceTaints.includes(one.key));
  if (!key) return others;
  return [
    ...others,
    have.find((one) => one.key === key) ?? { key, effect: "NoSelect", timeAdded: now },
  ];
}

/** How far apart the clocks are, when a site writes what time it thinks it is. Pure. */
export function clockCondition(renewTime: string, now: number): Condition {
  const type = "ManagedClusterConditionClockSynced";
  const apartMs = Math.abs(Date.parse(renewTime) - now);
  if (apartMs <= skewMsMax) {
    const message = "The clock of the managed cluster is synced with the hub.";
    return { type, status: "True", reason: "ManagedClusterClockSynced", message };
  }
  const message = `The clock of hub and agent is ${Math.round(apartMs / 1000)} s apart.`;
  return { type, status: "False", reason: "ManagedClusterClockOutOfSync", message };
}

export function clusterLease(): Controller {
  const seen = new Map<string, { renewTime: string; atMs: number }>();
  return {
    name: "managed-cluster-lease",
    inputs: [
      { resource: managedClusters },
      {
        resource: leases,
        fieldSelector: `metadata.name=${leaseName}`,
        keys: ({ metadata }) => [metadata.namespace!],
      },
    ],
    outputs: [managedClusters],
    async reconcile(name, context) {
      const { client, clock, informer, wakeAfter } = context;
      const cluster = informer(managedClusters).get(name);
      const lease = informer(leases).get(leaseName, name);
      if (!cluster || cluster.metadata.deletionTimestamp) return void seen.delete(name);
      const time = timestamp(clock.now());
      const taints = taintsOf(cluster, time);
      const before: any[] = cluster.spec?.taints ?? [];
      if (!jsonEqual(taints, before)) {
        const { resourceVersion } = cluster.metadata;
        // The site's own word for when it came back is its clock's, which may say anything.
        const annotations = taints.length < before.length && { [heardAtAnnotation]: time };
        const metadata = { resourceVersion, ...(annotations && { annotations }) };
        const body = { metadata, spec: { taints } };
        await client.patch({ ...managedClusters, name }, "merge", body);
        return;
      }
      const { renewTime } = lease?.spec ?? {};
      if (!renewTime) return;
      const now = clock.monotonic();
      let last = seen.get(name);
      if (last?.renewTime !== renewTime) {
        // After a start of the hub every site has its time again.
        seen.set(name, (last = { renewTime, atMs: now }));
        await writeConditions(context, cluster, [clockCondition(renewTime, clock.now())]);
      }
      const seconds = cluster.spec?.leaseDurationSeconds ?? defaultLeaseSeconds;
      const leftMs = last!.atMs + durationsMax * seconds * 1000 - now;
      if (leftMs > 0) return wakeAfter(name, leftMs + 1);
      const message = "Registration agent stopped updating its lease.";
      const reason = "ManagedClusterLeaseUpdateStopped";
      await writeConditions(context, cluster, [
        { type: availableType, status: "Unknown", reason, message },
      ]);
    },
  };
}
