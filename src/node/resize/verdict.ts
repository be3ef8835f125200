// Whether a node can give a running pod what it asks for now. Pure.
import { amountOf, podRequests } from "../../lib/pod-requests.ts";
import type { Pod } from "../pods/pod.ts";

export interface Refusal {
  /** Infeasible: never on this node. Deferred: once others have gone. */
  reason: "Infeasible" | "Deferred";
  message: string;
}

/** `asked` beside `others`, on a node that lends out `allocatable`. */
export function resizeRefusal(
  asked: Pod,
  others: Pod[],
  allocatable: Record<string, string>,
): Refusal | undefined {
  const used = new Map<string, number>();
  for (const { spec } of others) {
    for (const [name, amount] of podRequests(spec)) {
      used.set(name, (used.get(name) ?? 0) + amount);
    }
  }
  const requests = [...podRequests(asked.spec)];
  const capacityOf = (name: string) => amountOf(name, allocatable[name] ?? "0");
  const sized = requests.filter(([name]) => name === "cpu" || name === "memory");
  for (const [name, amount] of sized) {
    if (amount <= capacityOf(name)) continue;
    const numbers = `requested: ${amount}, capacity: ${capacityOf(name)}`;
    return {
      reason: "Infeasible",
      message: `Node didn't have enough capacity: ${name}, ${numbers}`,
    };
  }
  for (const [name, amount] of sized) {
    const taken = used.get(name) ?? 0;
    if (taken + amount <= capacityOf(name)) continue;
    const numbers = `requested: ${amount}, used: ${taken}, capacity: ${capacityOf(name)}`;
    return {
      reason: "Deferred",
      message: `Node didn't have enough resource: ${name}, ${numbers}`,
    };
  }
  return undefined;
}
