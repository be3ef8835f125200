// What becomes of the eviction of a VM's pod. Pure.
import { isTrue } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";

export type EvictionPlan =
  /** Like any other pod's. */
  | { allow: true }
  /** Refused for now; `evacuate`: the VMI is to leave its node first. */
  | { allow: false; why: string; evacuate: boolean };

const allow: EvictionPlan = { allow: true };

/** `pod` is the one to be evicted; `fallback` the cluster's own strategy. */
export function planEviction(
  vmi: KubeObject,
  pod: Pick<KubeObject, "spec">,
  fallback = "None",
): EvictionPlan {
  const strategy: string = vmi.spec.evictionStrategy ?? fallback;
  const { namespace, name, deletionTimestamp } = vmi.metadata;
  const over = ["Succeeded", "Failed"].includes(vmi.status?.phase);
  if (strategy === "None" || deletionTimestamp || over) return allow;
  // What the guest has left, or where it goes to, is no reason to leave where it is.
  const evacuate = pod.spec.nodeName === vmi.status?.nodeName;
  const evacuating = `Eviction triggered evacuation of VMI "${namespace}/${name}"`;
  const isMoved = strategy === "External" || isTrue(vmi, "LiveMigratable");
  if (isMoved) return { allow: false, why: evacuating, evacuate };
  if (strategy === "LiveMigrateIfPossible") return allow;
  const why = `VMI ${name} is configured with an eviction strategy but is not live-migratable`;
  return { allow: false, why, evacuate: false };
}
