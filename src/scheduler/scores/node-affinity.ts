import { matchesTerm, type NodeSelectorTerm } from "../../lib/node-selector.ts";
import { byLargest, type Score } from "../score.ts";

interface PreferredTerm {
  weight: number;
  preference: NodeSelectorTerm;
}

export const preferredNodeAffinity: Score = {
  name: "NodeAffinity",
  weight: 2,
  prepare({ pod }) {
    const terms: PreferredTerm[] | undefined =
      pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution;
    if (!terms?.length) return undefined;
    return (node) => {
      let sum = 0;
      for (const { weight, preference } of terms) if (matchesTerm(preference, node)) sum += weight;
      return sum;
    };
  },
  normalize: (scores) => byLargest(scores, false),
};
