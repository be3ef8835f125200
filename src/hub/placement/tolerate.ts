// Taints of clusters. NoSelectIfNew keeps a cluster that is chosen already; PreferNoSelect keeps none away.
import { tolerates } from "../../lib/taint.ts";
import type { Taint, Toleration } from "../../lib/taint.ts";
import { Misconfigured } from "./model.ts";

/** `until`: wall clock ms when a toleration ends, Infinity when none does; undefined when not tolerated. */
function toleratedUntil(taint: Taint, tolerations: Toleration[], now: number): number | undefined {
  const ends = tolerations
    .filter((toleration) => tolerates(toleration, taint))
    .map(({ tolerationSeconds }) =>
      tolerationSeconds === undefined
        ? Infinity
        : (taint.timeAdded ? Date.parse(taint.timeAdded) : 0) + tolerationSeconds * 1000,
    )
    .filter((end) => end > now);
  return ends.length > 0 ? Math.max(...ends) : undefined;
}

export function checkTolerations(tolerations: Toleration[]) {
  for (const { key, operator = "Equal", value } of tolerations) {
    if (!key && operator !== "Exists") {
      throw new Misconfigured("a toleration without a key must have the operator Exists");
    }
    if (operator === "Exists" && value) {
      throw new Misconfigured("a toleration with the operator Exists must not have a value");
    }
  }
}

/** Until when all `taints` are tolerated (Infinity: for ever); undefined when one is not. */
export function clusterToleratedUntil(
  taints: Taint[],
  tolerations: Toleration[],
  { chosen, now }: { chosen: boolean; now: number },
): number | undefined {
  let until = Infinity;
  for (const taint of taints) {
    if (taint.effect === "PreferNoSelect") continue;
    if (taint.effect === "NoSelectIfNew" && chosen) continue;
    const end = toleratedUntil(taint, tolerations, now);
    if (end === undefined) return undefined;
    until = Math.min(until, end);
  }
  return until;
}
