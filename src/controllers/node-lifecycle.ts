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
import { evictionDelayMs, planTaints } from "./node-lifecycle/plan.ts";
import { conditionOf, isTerminating, isTrue, withCondition } from "./pod-state.ts";
import type { Controller, ControllerContext } from "./runtime.ts";

const nodes = resource("v1", "nodes");
const pods = resource("v1", "pods");
const leases = resource("coordination.k8s.io/v1", "leases");
const graceMs = 40_000;
const lookEveryMs = 5000;

interface Watched {
  /** Last seen value of the Lease and of the node's heartbeat. */
  mark: string;
  /** When it was first seen, monotonic. */
  since: number;
  /** When a NoExecute taint was first seen, monotonic. */
  taintedSince?: number;
}
const watched = new WeakMap<ControllerContext, Map<string, Watched>>();

function silentForMs(node: KubeObject, context: ControllerContext): number {
  const all = watched.get(context) ?? new Map<string, Watched>();
  watched.set(context, all);
  const name = node.metadata.name;
  const lease = context.informer(leases).get(name, "kube-node-lease");
  const mark = `${lease?.metadata.resourceVersion}/${conditionOf(node, "Ready")?.["lastHeartbeatTime"]}`;
  const now = context.clock.monotonic();
  const known = all.get(name);
  if (known?.mark === mark) return now - known.since;
  all.set(name, { ...known, mark, since: now });
  return 0;
}

async function markUnknown(node: KubeObject, context: ControllerContext) {
  const now = timestamp(context.clock.now());
  let conditions = node.status?.conditions;
  for (const type of ["Ready", "MemoryPressure", "DiskPressure", "PIDPressure"]) {
    conditions = withCondition(
      conditions,
      {
        ...conditionOf(node, type),
        type,
        status: "Unknown",
        reason: "NodeStatusUnknown",
        message: "Kubelet stopped posting node status.",
      },
      now,
    );
  }
  const target = { ...nodes, name: node.metadata.name, subresource: "status" };
  await context.client.patch(target, "merge", { status: { conditions } });
  context.event(
    node,
    "Normal",
    "NodeNotReady",
    `Node ${node.metadata.name} status is now: NodeNotReady`,
  );
}

async function evictPods(node: KubeObject, context: ControllerContext) {
  const entry = watched.get(context)!.get(node.metadata.name)!;
  const taints = node.spec?.taints ?? [];
  if (!taints.some(({ effect }: any) => effect === "NoExecute")) {
    delete entry.taintedSince;
    return;
  }
  const now = context.clock.monotonic();
  entry.taintedSince ??= now;
  for (const pod of context.informer(pods).byIndex("node", node.metadata.name)) {
    const delay = evictionDelayMs(pod, taints);
    if (delay === undefined || isTerminating(pod)) continue;
    const left = entry.taintedSince + delay - now;
    if (left > 0) {
      context.wakeAfter(node.metadata.name, left);
      continue;
    }
    const { name, namespace, uid } = pod.metadata;
    context.event(
      pod,
      "Normal",
      "TaintManagerEviction",
      `Marking for deletion Pod ${namespace}/${name}`,
    );
    await context.client
      .delete({ ...pods, namespace, name }, { preconditions: { uid } })
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound", "Conflict")) throw error;
      });
  }
}

/** Every node of a site with more than one is in doubt, or the only one is. */
const allInDoubt = (context: ControllerContext) =>
  context
    .informer(nodes)
    .list()
    .every((node) => !isTrue(node, "Ready"));

async function reconcile(name: string, context: ControllerContext) {
  const node = context.informer(nodes).get(name);
  if (!node) return void watched.get(context)?.delete(name);
  if (silentForMs(node, context) > graceMs && conditionOf(node, "Ready")?.status !== "Unknown") {
    await markUnknown(node, context);
    return;
  }
  const time = timestamp(context.clock.now());
  const taints = planTaints(node, { time, evict: !allInDoubt(context) });
  if (taints !== (node.spec?.taints ?? taints)) {
    const { resourceVersion } = node.metadata;
    await context.client.patch({ ...nodes, name }, "merge", {
      metadata: { resourceVersion },
      spec: { taints },
    });
    return;
  }
  await evictPods(node, context);
}

export const nodeLifecycle: Controller = {
  name: "node-lifecycle",
  inputs: [
    { resource: nodes },
    {
      resource: leases,
      keys: ({ metadata }) => (metadata.namespace === "kube-node-lease" ? [metadata.name] : []),
    },
    { resource: pods, keys: () => [] },
  ],
  outputs: [nodes, pods],
  resyncMs: lookEveryMs,
  start(context) {
    context.informer(pods).addIndex("node", (pod) => [pod.spec?.nodeName ?? ""]);
  },
  reconcile,
};
