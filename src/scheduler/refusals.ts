// Why the nodes turned a pod away, told as upstream tells it: each reason once, with the number of
// nodes, in the order of the text.
import type { Verdict } from "./filter.ts";
import type { NodeInfo } from "./node-info.ts";

export function counted(counts: ReadonlyMap<string, number>): string {
  return [...counts]
    .map(([reason, count]) => `${count} ${reason}`)
    .sort()
    .join(", ");
}

export const noneOf = (nodes: number, counts: ReadonlyMap<string, number>) =>
  `0/${nodes} nodes are available: ${counted(counts)}.`;

export function bump(counts: Map<string, number>, reason: string, by = 1) {
  counts.set(reason, (counts.get(reason) ?? 0) + by);
}

export class Refusals {
  readonly filters = new Set<string>();
  /** The last verdict on each node that was judged. */
  readonly verdicts = new Map<NodeInfo, Verdict>();

  add(node: NodeInfo, verdict: Verdict, filter: string) {
    this.verdicts.set(node, verdict);
    this.filters.add(filter);
  }

  /** Nodes not even looked at, because the pod names the only ones it may go to. */
  addOthers(nodes: readonly NodeInfo[], named: ReadonlySet<string>) {
    const verdict = {
      reasons: ["node(s) didn't satisfy plugin(s) [NodeAffinity]"],
      resolvable: false,
    };
    for (const node of nodes) {
      if (!named.has(node.name)) this.add(node, verdict, "NodeAffinity");
    }
  }

  message(nodes: number): string {
    const counts = new Map<string, number>();
    for (const { reasons } of this.verdicts.values()) {
      for (const reason of reasons) bump(counts, reason);
    }
    return noneOf(nodes, counts);
  }
}
