// The node's own look at a pod before it begins: whoever bound it may have bound it past the scheduler, or
// not have known of a pod beside it. What does not fit fails at once, in kubelet's words. Pure.
import { hostPorts, portsConflict } from "../../lib/host-ports.ts";
import { matchesTerms } from "../../lib/node-selector.ts";
import { amountOf, podRequests } from "../../lib/pod-requests.ts";
import { qosClassOf } from "../../lib/qos-class.ts";
import { securityRefusal } from "./admit-security.ts";
import type { SecurityAbilities } from "./admit-security.ts";
import type { Pressure } from "../eviction/plan.ts";
import type { Pod } from "./pod.ts";
import type { Ending } from "./ending.ts";
import { isCritical } from "./priority.ts";

export interface AdmittingNode {
  name: string;
  /** Undefined while they are not known. */
  labels: Record<string, string> | undefined;
  allocatable: Record<string, string>;
  pressure?: Pressure;
  abilities?: SecurityAbilities;
}

function selects(pod: Pod, { name, labels }: AdmittingNode): boolean {
  if (!labels) return true;
  const { nodeSelector = {}, affinity } = pod.spec as Record<string, any>;
  const terms =
    affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  const labelled = Object.entries(nodeSelector).every(([key, value]) => labels[key] === value);
  return labelled && (!terms || matchesTerms(terms, { name, labels }));
}

const rejected = (reason: string, why: string): Ending => ({
  reason,
  message: `Pod was rejected: ${why}`,
});

const conditions = { memory: "MemoryPressure", disk: "DiskPressure", pids: "PIDPressure" } as const;

/** A node in need takes system pods; short of memory alone, also those that said how much they need. */
function pressing(pod: Pod, pressure: Pressure): string[] {
  if (isCritical(pod)) return [];
  const found = (["memory", "disk", "pids"] as const).filter((one) => pressure[one]);
  const memoryOnly = found.length === 1 && found[0] === "memory";
  if (memoryOnly && qosClassOf(pod.spec) !== "BestEffort") return [];
  return found.map((one) => conditions[one]);
}

function portsTaken(pod: Pod, others: Pod[]): boolean {
  const wanted = hostPorts(pod.spec);
  if (wanted.length === 0) return false;
  const taken = others.flatMap(({ spec }) => hostPorts(spec));
  return wanted.some((one) => taken.some((other) => portsConflict(one, other)));
}

/** Why `pod` cannot run beside `others`; undefined when it can. */
export function refusalOf(pod: Pod, others: Pod[], node: AdmittingNode): Ending | undefined {
  if (!selects(pod, node)) {
    const why = "node(s) didn't match Pod's node affinity/selector";
    return rejected("NodeAffinity", `Predicate NodeAffinity failed: ${why}`);
  }
  const insecure = node.abilities && securityRefusal(pod, node.abilities);
  if (insecure) return insecure;
  const pressed = node.pressure ? pressing(pod, node.pressure) : [];
  if (pressed.length > 0) {
    return rejected("Evicted", `The node had condition: [${pressed.join(", ")}]. `);
  }
  if (portsTaken(pod, others)) {
    const why = "node(s) didn't have free ports for the requested pod ports";
    return rejected("NodePorts", `Predicate NodePorts failed: ${why}`);
  }
  const asked = podRequests(pod.spec).set("pods", 1);
  const used = new Map<string, number>([["pods", others.length]]);
  for (const other of others) {
    for (const [name, amount] of podRequests(other.spec)) {
      used.set(name, (used.get(name) ?? 0) + amount);
    }
  }
  for (const [name, amount] of asked) {
    const has = node.allocatable[name];
    const taken = used.get(name) ?? 0;
    if (has === undefined || amount === 0 || taken + amount <= amountOf(name, has)) continue;
    const numbers = `requested: ${amount}, used: ${taken}, capacity: ${amountOf(name, has)}`;
    return rejected(`OutOf${name}`, `Node didn't have enough resource: ${name}, ${numbers}`);
  }
  return undefined;
}

/** A pod is looked at once, before anything of it was begun. */
export const isNew = ({ metadata, status }: Pod) =>
  !metadata.deletionTimestamp && !status?.startTime && (status?.phase ?? "Pending") === "Pending";
