// Removes pods that nobody else will: those of nodes that no longer exist, those that were deleted before
// they got a node, and finished ones beyond a limit.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { isStatus } from "../lib/status-error.ts";
import { missingNodes, plan, type Reason } from "./pod-garbage-collector/plan.ts";
import { hasFinished, isTerminating } from "./pod-state.ts";
import { perContext } from "./per-context.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const pods = resource("v1", "pods");
const nodes = resource("v1", "nodes");
/** Enough for the history of CronJobs; each costs a few kB. Upstream keeps 12,500. */
const finishedPodsMax = 1000;
/** A node that is missing may be registering anew. */
const quarantineMs = 40_000;
const lookEveryMs = 20_000;
const everything = "all";

/** When each missing node was first missed, monotonic. */
const missedBy = perContext(() => new Map<string, number>());

/** Nodes that were missing for a while and that the server does not know either. */
async function vanishedNodes(context: ControllerContext): Promise<Set<string>> {
  const { client, clock, signal } = context;
  const since = missedBy(context);
  const missing = missingNodes(context.informer(pods).list(), context.informer(nodes).list());
  for (const name of since.keys()) if (!missing.has(name)) since.delete(name);
  const vanished = new Set<string>();
  const now = clock.monotonic();
  for (const name of missing) {
    if (!since.has(name)) since.set(name, now);
    if (now - since.get(name)! < quarantineMs) continue;
    try {
      await client.get({ ...nodes, name }, signal);
    } catch (error) {
      if (!isStatus(error, "NotFound")) throw error;
      vanished.add(name);
    }
  }
  return vanished;
}

const messages: Partial<Record<Reason, string>> = {
  orphaned: "PodGC: node no longer exists",
  "out-of-service": "PodGC: node is out-of-service",
};

async function remove(pod: KubeObject, reason: Reason, { client, clock }: ControllerContext) {
  const { name, namespace, uid } = pod.metadata;
  const target = { ...pods, namespace, name };
  const message = messages[reason];
  try {
    // Whoever counts its end sees a failure, and why.
    if (message && !hasFinished(pod)) {
      const condition = {
        type: "DisruptionTarget",
        status: "True",
        reason: "DeletionByPodGC",
        message,
        lastTransitionTime: timestamp(clock.now()),
      };
      await client.patch({ ...target, subresource: "status" }, "strategic", {
        metadata: { uid },
        status: { phase: "Failed", conditions: [condition] },
      });
    }
    await client.delete(target, { gracePeriodSeconds: 0, preconditions: { uid } });
  } catch (error) {
    if (!isStatus(error, "NotFound", "Conflict")) throw error;
  }
}

export const podGarbageCollector: Controller = {
  name: "pod-garbage-collector",
  inputs: [
    // Not every heartbeat: only nodes that come and go.
    { resource: nodes, keys: (_node, _context, previous) => (previous ? [] : [everything]) },
    {
      resource: pods,
      keys: (pod) => (isTerminating(pod) && !pod.spec?.nodeName ? [everything] : []),
    },
  ],
  outputs: [pods, resource("v1", "pods/status")],
  workers: 1,
  async reconcile(key, context) {
    context.wakeAfter(key, lookEveryMs);
    const going = plan({
      pods: context.informer(pods).list(),
      nodes: context.informer(nodes).list(),
      vanished: await vanishedNodes(context),
      finishedMax: finishedPodsMax,
    });
    for (const [pod, reason] of going) await remove(pod, reason, context);
  },
  start(context) {
    // With no node and no pod there is no event, and there may be some later.
    context.wakeAfter(everything, lookEveryMs);
  },
};
