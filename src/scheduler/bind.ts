// The thin shell: what was decided is written to the API. Binding a pod, telling why it could not
// be bound, and evicting those who make room.
import { resource, type Client } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { timestamp, type Clock } from "../lib/clock.ts";
import { isStatus } from "../lib/status-error.ts";
import type { PodInfo } from "./pod-info.ts";

const pods = resource("v1", "pods");

export function bind(client: Client, { name, namespace, uid }: PodInfo, node: string) {
  return client.create(
    { ...pods, namespace, name, subresource: "binding" },
    {
      apiVersion: "v1",
      kind: "Binding",
      metadata: { name, namespace, uid },
      target: { apiVersion: "v1", kind: "Node", name: node },
    },
  );
}

export interface Waiting {
  reason: "Unschedulable" | "SchedulingGated" | "SchedulerError";
  message: string;
  /** "" clears it. */
  nominatedNodeName?: string;
}

/** Sets the PodScheduled condition to False, unless it says so already. */
export async function tellWaiting(
  client: Client,
  clock: Clock,
  { pod, name, namespace }: PodInfo,
  { reason, message, nominatedNodeName }: Waiting,
) {
  const known = condition(pod, "PodScheduled");
  const renominated =
    nominatedNodeName !== undefined && nominatedNodeName !== (pod.status?.nominatedNodeName ?? "");
  if (known?.reason === reason && known.message === message && !renominated) return;
  const changed = known?.status === "False" ? known.lastTransitionTime : undefined;
  const entry = {
    type: "PodScheduled",
    status: "False",
    reason,
    message,
    lastProbeTime: null,
    lastTransitionTime: changed ?? timestamp(clock.now()),
    ...(pod.metadata.generation && { observedGeneration: pod.metadata.generation }),
  };
  const nomination = renominated && { nominatedNodeName: nominatedNodeName || null };
  await client.patch({ ...pods, namespace, name, subresource: "status" }, "strategic", {
    metadata: { uid: pod.metadata.uid },
    status: { conditions: [entry], ...nomination },
  });
}

/** Marks a victim as disrupted, then deletes it gracefully. One already gone is fine. */
export async function evict(client: Client, clock: Clock, victim: PodInfo, by: PodInfo) {
  const target = { ...pods, namespace: victim.namespace, name: victim.name };
  const entry = {
    type: "DisruptionTarget",
    status: "True",
    reason: "PreemptionByScheduler",
    message: `${by.pod.spec?.schedulerName ?? "default-scheduler"}: preempting to accommodate a higher priority pod`,
    lastTransitionTime: timestamp(clock.now()),
  };
  try {
    await client.patch({ ...target, subresource: "status" }, "strategic", {
      metadata: { uid: victim.uid },
      status: { conditions: [entry] },
    });
    await client.delete(target, { preconditions: { uid: victim.uid } });
  } catch (error) {
    if (!isStatus(error, "NotFound", "Conflict")) throw error;
  }
}

export const condition = (pod: KubeObject, type: string): any =>
  pod.status?.conditions?.find((entry: { type: string }) => entry.type === type);
