// Removes pods that nobody else will: those of nodes that no longer exist, those that were deleted before
// they got a node, and finished ones beyond a limit.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import { byAge, hasFinished, isTerminating } from "./pod-state.ts";
import type { Controller } from "./runtime.ts";

const pods = resource("v1", "pods");
const nodes = resource("v1", "nodes");
export const finishedPodsMax = 1000;
const lookEveryMs = 20_000;
const everything = "all";

/** Which pods go now. Pure. */
export function planCollection(all: KubeObject[], nodeNames: Set<string>, max = finishedPodsMax) {
  const orphaned = all.filter(({ spec }) => spec.nodeName && !nodeNames.has(spec.nodeName));
  const unbound = all.filter((pod) => !pod.spec.nodeName && isTerminating(pod));
  const finished = all.filter((pod) => hasFinished(pod) && !isTerminating(pod)).sort(byAge);
  const surplus = finished.slice(0, Math.max(0, finished.length - max));
  return [...new Set([...orphaned, ...unbound, ...surplus])];
}

export const podGarbageCollector: Controller = {
  name: "pod-garbage-collector",
  inputs: [
    { resource: nodes, keys: () => [everything] },
    { resource: pods, keys: () => [] },
  ],
  outputs: [pods],
  resyncMs: lookEveryMs,
  workers: 1,
  async reconcile(_key, { client, informer }) {
    const names = new Set(
      informer(nodes)
        .list()
        .map(({ metadata }) => metadata.name),
    );
    for (const { metadata } of planCollection(informer(pods).list(), names)) {
      const { name, namespace, uid } = metadata;
      await client
        .delete({ ...pods, namespace, name }, { gracePeriodSeconds: 0, preconditions: { uid } })
        .catch((error: unknown) => {
          if (!isStatus(error, "NotFound", "Conflict")) throw error;
        });
    }
  },
};
