import { repelling, untoleratedTaint } from "../../lib/taint.ts";
import { unresolvable, type Filter } from "../filter.ts";

export const taints: Filter = {
  name: "TaintToleration",
  wakes: ["node"],
  prepare: (pod) => (node) => {
    if (node.taints.length === 0) return undefined;
    const taint = untoleratedTaint(node.taints, pod.tolerations, repelling);
    if (!taint) return undefined;
    return unresolvable(`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ""}}`);
  },
};
