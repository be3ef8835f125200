// A node that nobody hears of any more reaches no device: it leaves its Instances, and its slots are free for
// others. A node that is not Ready but speaks keeps both, since its agent knows better.
import { resource } from "../client/client.ts";
import type { Controller, ControllerContext } from "../controllers/runtime.ts";
import type { KubeObject } from "../kinds/object.ts";
import { isStatus } from "../lib/status-error.ts";
import { conditionOf } from "./condition.ts";
import { instances } from "./kinds/instance.ts";
import type { Instance } from "./kinds/instance.ts";
import { parseUsage } from "./slots.ts";

const nodes = resource("v1", "nodes");

const isLost = (node: KubeObject | undefined) =>
  !node || conditionOf(node, "Ready")?.status === "Unknown";

function nodesOf({ spec }: Instance): string[] {
  const holders = Object.values(spec.deviceUsage ?? {}).map((text) => parseUsage(text)?.node);
  return [...new Set([...(spec.nodes ?? []), ...holders])].filter((name) => name !== undefined);
}

/** What takes `node` out of an Instance; undefined when it is not in it. Pure. */
export function withoutNode(instance: Instance, node: string): object | undefined {
  if (!nodesOf(instance).includes(node)) return undefined;
  const { uid, resourceVersion } = instance.metadata;
  const usage = Object.entries(instance.spec.deviceUsage ?? {});
  const held = usage.filter(([, text]) => parseUsage(text)?.node === node);
  return {
    metadata: { uid, resourceVersion },
    spec: {
      nodes: (instance.spec.nodes ?? []).filter((name) => name !== node),
      // An entry that is "" would be somebody's; one that is gone is nobody's.
      deviceUsage: Object.fromEntries(held.map(([slot]) => [slot, null])),
    },
  };
}

async function reconcile(name: string, { client, informer }: ControllerContext) {
  if (!isLost(informer(nodes).get(name))) return;
  for (const instance of informer(instances).list() as Instance[]) {
    const patch = withoutNode(instance, name);
    if (!patch) continue;
    const { name: of, namespace } = instance.metadata;
    await client
      .patch({ ...instances, namespace, name: of }, "merge", patch)
      .catch((error: unknown) => {
        if (!isStatus(error, "NotFound")) throw error;
      });
  }
}

export const deviceNodes: Controller = {
  name: "akri-node",
  inputs: [
    { resource: nodes },
    { resource: instances, keys: (instance) => nodesOf(instance as Instance) },
  ],
  outputs: [instances],
  reconcile,
};
