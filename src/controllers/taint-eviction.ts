// A pod is told that a taint drives it away, and is deleted.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { isStatus } from "../lib/status-error.ts";
import type { ControllerContext } from "./runtime.ts";

const pods = resource("v1", "pods");

/** Upstream's words for what was tainted, in a condition's message and as part of reasons. */
const words = {
  node: { manager: "Taint manager", part: "TaintManager" },
  device: { manager: "Device Taint manager", part: "DeviceTaintManager" },
};

/** Nothing where the pod has gone or is another by now. */
export async function evictTainted(
  pod: KubeObject,
  what: keyof typeof words,
  { client, clock, event }: ControllerContext,
) {
  const { name, namespace, uid } = pod.metadata;
  const { manager, part } = words[what];
  event(pod, "Normal", `${part}Eviction`, `Marking for deletion Pod ${namespace}/${name}`);
  const condition = {
    type: "DisruptionTarget",
    status: "True",
    reason: `DeletionBy${part}`,
    message: `${manager}: deleting due to NoExecute taint`,
    lastTransitionTime: timestamp(clock.now()),
  };
  const target = { ...pods, namespace, name };
  try {
    await client.patch({ ...target, subresource: "status" }, "strategic", {
      metadata: { uid },
      status: { conditions: [condition] },
    });
    await client.delete(target, { preconditions: { uid } });
  } catch (error) {
    if (!isStatus(error, "NotFound", "Conflict")) throw error;
  }
}
