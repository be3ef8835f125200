// Pods stay for five minutes on a node that stopped answering, unless they say otherwise.
import type { Toleration } from "../../lib/taint.ts";
import type { Admission } from "../policy.ts";
import { isAbout } from "./refuse.ts";

const keys = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const tolerationSeconds = 300;

/** The tolerations a pod lacks. */
export const missingTolerations = (present: readonly Toleration[] = []): Toleration[] =>
  keys
    .filter(
      (key) =>
        !present.some(
          (one) => (!one.key || one.key === key) && (!one.effect || one.effect === "NoExecute"),
        ),
    )
    .map((key) => ({ key, operator: "Exists", effect: "NoExecute", tolerationSeconds }));

export const defaultTolerations: Admission = {
  name: "DefaultTolerationSeconds",
  async mutate(request) {
    const { operation, object } = request;
    const writes = operation === "CREATE" || operation === "UPDATE";
    if (!writes || !isAbout(request, "pods")) return;
    const missing = missingTolerations(object!.spec.tolerations);
    if (missing.length === 0) return;
    const { spec } = object!;
    object!.spec = { ...spec, tolerations: [...(spec.tolerations ?? []), ...missing] };
  },
};
