import { isTolerated } from "../../lib/taint.ts";
import { unresolvable, type Filter } from "../filter.ts";

const verdict = unresolvable("node(s) were unschedulable");
const taint = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

export const nodeUnschedulable: Filter = {
  name: "NodeUnschedulable",
  wakes: ["node"],
  prepare(pod) {
    if (isTolerated(taint, pod.tolerations)) return undefined;
    return (node) => (node.unschedulable ? verdict : undefined);
  },
};
