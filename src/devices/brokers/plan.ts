// Which broker Pods of one Instance go and which come. Pure.
import { conditionOf } from "../kinds/condition.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Found } from "../controllers/found.ts";
import type { NamedDraft } from "../agent/plan-instances.ts";
import { brokerPod, templateAnnotation } from "./pod.ts";

/** A pod that has a node and does not begin is made anew after this. */
const pendingMsMax = 5 * 60_000;

export interface BrokerPlan {
  create: NamedDraft[];
  remove: { pod: KubeObject; ended: boolean }[];
  wakeAfterMs?: number;
}

const hasEnded = ({ status }: KubeObject) => ["Succeeded", "Failed"].includes(status?.phase);

/** Why a pod has ended, in a few words. Pure. */
export function endingOf({ metadata, status }: KubeObject): string {
  const exits = [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
    .filter(({ state }: any) => state?.terminated && state.terminated.exitCode !== 0)
    .map(({ name, state }: any) => `container ${name} exited with ${state.terminated.exitCode}`);
  const why = exits[0] ?? status?.message ?? status?.reason;
  return `broker ${metadata.name} ${status?.phase}${why ? `: ${why}` : ""}`;
}

/** Milliseconds since the pod got its node; a pod that waits for a free slot waits as long as it takes. */
function waited(pod: KubeObject, now: number): number | undefined {
  if ((pod.status?.phase ?? "Pending") !== "Pending") return undefined;
  const scheduled = conditionOf(pod, "PodScheduled");
  if (scheduled?.status !== "True") return undefined;
  return now - Date.parse(scheduled.lastTransitionTime ?? pod.metadata.creationTimestamp);
}

/** `found` is undefined where there is nothing to be a broker for. */
export function planBrokers(
  found: Found | undefined,
  { pods, now }: { pods: KubeObject[]; now: number },
): BrokerPlan {
  const plan: BrokerPlan = { create: [], remove: [] };
  const wanted = new Map<string, NamedDraft>();
  if (found?.configuration.spec?.brokerSpec?.brokerPodSpec) {
    const { instance, configuration } = found;
    for (const node of instance.spec.nodes ?? []) {
      const pod = brokerPod(instance, configuration, node);
      wanted.set(pod.metadata.name, pod);
    }
  }
  for (const pod of pods) {
    const { name, annotations, deletionTimestamp } = pod.metadata;
    const wish = wanted.get(name);
    wanted.delete(name);
    if (deletionTimestamp) continue;
    const owner = found?.instance.metadata.uid;
    const owned = pod.metadata.ownerReferences?.some(({ uid }) => uid === owner);
    const same =
      annotations?.[templateAnnotation] === wish?.metadata["annotations"]?.[templateAnnotation];
    const ended = hasEnded(pod);
    const ms = waited(pod, now);
    const stuck = ms !== undefined && ms >= pendingMsMax;
    if (!wish || !owned || !same || ended || stuck) plan.remove.push({ pod, ended });
    else if (ms !== undefined) {
      plan.wakeAfterMs = Math.min(plan.wakeAfterMs ?? Infinity, pendingMsMax - ms);
    }
  }
  plan.create = [...wanted.values()];
  return plan;
}
