// Watches over nodes: one whose Lease stands still is Unknown, conditions become taints, and pods that do
// not tolerate what befell their node leave it.
//
// Clocks of edge machines are wrong, so times in Leases are never compared with ours: what counts is when
// this process saw a Lease change, on its own monotonic clock. And when every node of a site is in doubt,
// the doubt is about this process, so nobody is evicted.
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { timestamp } from "../lib/clock.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Taint } from "../lib/taint.ts";
import {
  autonomyMs,
  evictionDelayMs,
  evictionPaceMs,
  planTaints,
  silentConditions,
  zoneOf,
} from "./node-lifecycle/plan.ts";
import { conditionOf, hasFinished, isReady, isTerminating } from "./pod-state.ts";
import { perContext } from "./per-context.ts";
import type { Controller, ControllerContext } from "./runtime.ts";
import { evictTainted } from "./taint-eviction.ts";

const nodes = resource("v1", "nodes");
const pods = resource("v1", "pods");
const leases = resource("coordination.k8s.io/v1", "leases");
const leaseNamespace = "kube-node-lease";
const graceMs = 40_000;
const lookEveryMs = 5000;

interface Watched {
  /** Last seen state of the Lease and of the node's heartbeat. */
  mark: string;
  /** When it was first seen, monotonic. */
  since: number;
  /** NoExecute taints by key, and when each was first seen, monotonic. */
  tainted: Map<string, number>;
}

interface Memory {
  nodes: Map<string, Watched>;
  /** When a node of a zone was last given an evicting taint, monotonic. */
  evicted: Map<string, number>;
}

const memoryOf = perContext((): Memory => ({ nodes: new Map(), evicted: new Map() }));

/** Notes what is seen of the node's life signs. */
function watch(node: KubeObject, context: ControllerContext): Watched {
  const { nodes: known } = memoryOf(context);
  const { name, uid } = node.metadata;
  const lease = context.informer(leases).get(name, leaseNamespace);
  const heartbeat = conditionOf(node, "Ready")?.["lastHeartbeatTime"];
  const mark = `${uid}/${lease?.metadata.resourceVersion}/${heartbeat}`;
  let entry = known.get(name);
  if (entry?.mark !== mark) {
    entry = { tainted: entry?.tainted ?? new Map(), mark, since: context.clock.monotonic() };
    known.set(name, entry);
  }
  return entry;
}

async function markUnknown(node: KubeObject, context: ControllerContext) {
  const { name, resourceVersion } = node.metadata;
  const conditions = silentConditions(node, timestamp(context.clock.now()));
  const target = { ...nodes, name, subresource: "status" };
  await context.client.patch(target, "strategic", {
    metadata: { resourceVersion },
    status: { conditions },
  });
  context.event(node, "Normal", "NodeNotReady", `Node ${name} status is now: NodeNotReady`);
}

/** Services should not send traffic to a node that fell silent. */
async function markPodsNotReady(node: KubeObject, context: ControllerContext) {
  for (const pod of context.informer(pods).byIndex("node", node.metadata.name)) {
    if (!isReady(pod) || hasFinished(pod)) continue;
    const { name, namespace, uid } = pod.metadata;
    const lastTransitionTime = timestamp(context.clock.now());
    const ready = { ...conditionOf(pod, "Ready"), status: "False", lastTransitionTime };
    await context.client
      .patch({ ...pods, namespace, name, subresource: "status" }, "strategic", {
        metadata: { uid },
        status: { conditions: [ready] },
      })
      .catch(ignoreGone);
    context.event(pod, "Warning", "NodeNotReady", "Node is not ready");
  }
}

function ignoreGone(error: unknown) {
  if (!isStatus(error, "NotFound", "Conflict")) throw error;
}

/** May this node be given an evicting taint now? Asks to be woken when that is a matter of time. */
function mayEvict(node: KubeObject, context: ControllerContext): boolean {
  const { name } = node.metadata;
  const pace = evictionPaceMs(zoneOf(node), context.informer(nodes).list());
  if (pace === undefined) return false;
  const has = node.spec?.taints?.some(
    ({ key, effect }: Taint) => effect === "NoExecute" && key.startsWith("node.kubernetes.io/"),
  );
  if (has || conditionOf(node, "Ready")?.status === "True") return true;
  const { evicted } = memoryOf(context);
  const now = context.clock.monotonic();
  const left = (evicted.get(zoneOf(node)) ?? Number.NEGATIVE_INFINITY) + pace - now;
  if (left > 0) {
    context.wakeAfter(name, left);
    return false;
  }
  evicted.set(zoneOf(node), now);
  return true;
}

async function evictPods(node: KubeObject, { tainted }: Watched, context: ControllerContext) {
  const taints: Taint[] = node.spec?.taints ?? [];
  const executing = taints.filter(({ effect }) => effect === "NoExecute");
  const now = context.clock.monotonic();
  for (const key of tainted.keys()) {
    if (!executing.some((taint) => taint.key === key)) tainted.delete(key);
  }
  for (const { key } of executing) if (!tainted.has(key)) tainted.set(key, now);
  if (executing.length === 0) return;
  for (const pod of context.informer(pods).byIndex("node", node.metadata.name)) {
    if (isTerminating(pod) || hasFinished(pod)) continue;
    // Each taint counts from when it was seen; the first that runs out decides.
    const ends = executing.map((taint) => {
      const delay = evictionDelayMs(pod.spec.tolerations, [taint]);
      return delay === undefined ? Number.POSITIVE_INFINITY : tainted.get(taint.key)! + delay;
    });
    const left = Math.min(...ends) - now;
    if (left <= 0) await evictTainted(pod, "node", context);
    else if (left < Number.POSITIVE_INFINITY) context.wakeAfter(node.metadata.name, left);
  }
}

async function reconcile(name: string, context: ControllerContext, autonomy: string | undefined) {
  const node = context.informer(nodes).get(name);
  if (!node) return void memoryOf(context).nodes.delete(name);
  const entry = watch(node, context);
  const silentMs = context.clock.monotonic() - entry.since;
  const ready = conditionOf(node, "Ready")?.status;
  if (silentMs > graceMs && ready !== "Unknown") return markUnknown(node, context);
  const time = timestamp(context.clock.now());
  const leftMs = ready === "Unknown" ? autonomyMs(node, autonomy) - silentMs : 0;
  if (leftMs > 0 && Number.isFinite(leftMs)) context.wakeAfter(name, leftMs);
  const taints = planTaints(node, { time, evict: leftMs <= 0 && mayEvict(node, context) });
  if (taints) {
    const { resourceVersion } = node.metadata;
    await context.client.patch({ ...nodes, name }, "merge", {
      metadata: { resourceVersion },
      spec: { taints },
    });
    return;
  }
  if (ready === "Unknown") await markPodsNotReady(node, context);
  await evictPods(node, entry, context);
}

/** A pod just bound to a node, or whose tolerations changed, may have to leave. */
function podKeys(pod: KubeObject, context: ControllerContext, previous?: KubeObject): string[] {
  const name: string | undefined = pod.spec?.nodeName;
  if (!name || previous?.spec?.nodeName) return [];
  const taints: Taint[] = context.informer(nodes).get(name)?.spec?.taints ?? [];
  return taints.some(({ effect }) => effect === "NoExecute") ? [name] : [];
}

/** `autonomy`: of nodes that do not say themselves how long they may be away. */
export const nodeLifecycle = (autonomy?: string): Controller => ({
  name: "node-lifecycle",
  inputs: [
    { resource: nodes },
    {
      resource: leases,
      keys: ({ metadata }) => (metadata.namespace === leaseNamespace ? [metadata.name] : []),
    },
    { resource: pods, keys: podKeys },
  ],
  outputs: [nodes, resource("v1", "nodes/status"), pods, resource("v1", "pods/status")],
  resyncMs: lookEveryMs,
  start(context) {
    context.informer(pods).addIndex("node", (pod) => [pod.spec?.nodeName ?? ""]);
  },
  reconcile: (name, context) => reconcile(name, context, autonomy),
});
