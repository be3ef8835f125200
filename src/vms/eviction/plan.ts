// What becomes of the eviction of a VM's pod. Pure.
import { isTrue } from "../../controllers/pod-state.ts";
import type { KubeObject } from "../../kinds/object.ts";

export type EvictionPlan =
  /** Like any other pod's. */
  | { allow: true }
  /** Refused for now; `evacuate`: the VMI is to leave its node first. */
  | { allow: false; why: string; evacuate: boolean };

const allow: EvictionPlan = { allow: true };

/** `fallback` is the cluster's own strategy. */
export function planEviction(vmi: KubeObject, fallback = "None"): EvictionPlan {
  const strategy: string = vmi.spec.evictionStrategy ?? fallback;
  const { namespace, name, deletionTimestamp } = vmi.metadata;
  const over = ["Succeeded", "Failed"].includes(vmi.status?.phase);
  if (strategy === "None" || deletionTimestamp || over) return allow;
  const evacuating = `Eviction triggered evacuation of VMI "${namespace}/${name}"`;
  if (strategy === "External") return { allow: false, why: evacuating, evacuate: true };
  if (isTrue(vmi, "LiveMigratable")) return { allow: false, why: evacuating, evacuate: true };
  if (strategy === "LiveMigrateIfPossible") return allow;
  const why = `VMI ${name} is configured with an eviction strategy but is not live-migratable`;
  return { allow: false, why, evacuate: false };
}
