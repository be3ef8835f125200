// A new node takes no pods until it has said that it is ready; the node lifecycle controller then
// removes the taint.
import type { Taint } from "../../lib/taint.ts";
import type { Admission } from "../policy.ts";
import { isAbout } from "./refuse.ts";

const notReady: Taint = { key: "node.kubernetes.io/not-ready", effect: "NoSchedule" };

export const taintNodes: Admission = {
  name: "TaintNodesByCondition",
  async mutate(request) {
    if (request.operation !== "CREATE" || !isAbout(request, "nodes")) return;
    const { spec } = request.object!;
    const taints: Taint[] = spec?.taints ?? [];
    if (taints.some(({ key, effect }) => key === notReady.key && effect === notReady.effect))
      return;
    request.object!.spec = { ...spec, taints: [...taints, { ...notReady }] };
  },
};
