import { matchesTerms, type NodeSelectorTerm } from "../../lib/node-selector.ts";
import { unresolvable, type Filter } from "../filter.ts";
import type { NodeInfo } from "../node-info.ts";
import type { PodInfo } from "../pod-info.ts";

const verdict = unresolvable("node(s) didn't match Pod's node affinity/selector");

const requiredTerms = ({ pod }: PodInfo): NodeSelectorTerm[] | undefined =>
  pod.spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution
    ?.nodeSelectorTerms;

/** Does the node satisfy `nodeSelector` and required node affinity? Undefined: any node does. */
export function nodeMatcher(pod: PodInfo): ((node: NodeInfo) => boolean) | undefined {
  const selector = Object.entries<string>(pod.pod.spec?.nodeSelector ?? {});
  const terms = requiredTerms(pod);
  if (selector.length === 0 && !terms) return undefined;
  return (node) =>
    selector.every(([key, value]) => node.labels[key] === value) &&
    (!terms || matchesTerms(terms, node));
}

/** The only nodes that may suit, when every term names its nodes (as daemons' pods do). */
export function namedNodes(pod: PodInfo): Set<string> | undefined {
  const terms = requiredTerms(pod);
  if (!terms?.length) return undefined;
  const names = new Set<string>();
  for (const term of terms) {
    const field = term.matchFields?.find((f) => f.key === "metadata.name" && f.operator === "In");
    if (!field) return undefined;
    for (const name of field.values ?? []) names.add(name);
  }
  return names;
}

export const nodeAffinity: Filter = {
  name: "NodeAffinity",
  wakes: ["node"],
  prepare(pod) {
    const matches = nodeMatcher(pod);
    return matches && ((node) => (matches(node) ? undefined : verdict));
  },
};
