// A node that nobody hears of any more reaches no device: it leaves its Instances, so that others' brokers begin.
// Its slots it keeps while pods that hold them are bound to it, since it may be cut off and its pods run on: a
// slot that two use would be worse than one that nobody does. They are free when those pods are gone, or said to
// be gone (the taint node.kubernetes.io/out-of-service). A node that is not Ready but speaks keeps both.
import { resource } from "../../client/client.ts";
import type { Controller, ControllerContext } from "../../controllers/runtime.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { isStatus } from "../../lib/status-error.ts";
import { conditionOf } from "../kinds/condition.ts";
import { instances } from "../kinds/instance.ts";
import type { Instance } from "../kinds/instance.ts";
import { parseUsage } from "../plugins/slots.ts";

const nodes = resource("v1", "nodes");
const pods = resource("v1", "pods");

/** Nobody hears of it any more. */
export const isLost = (node: KubeObject | undefined) =>
  !node || conditionOf(node, "Ready")?.status === "Unknown";

function nodesOf({ spec }: Instance): string[] {
  const holders = Object.values(spec.deviceUsage ?? {}).map((text) => parseUsage(text)?.node);
  return [...new Set([...(spec.nodes ?? []), ...holders])].filter((name) => name !== undefined);
}

const hasEnded = ({ status }: KubeObject) => ["Succeeded", "Failed"].includes(status?.phase);

/** Whether a pod may hold a slot of the Instance. */
function mayHold({ spec }: KubeObject, { metadata, spec: { configurationName } }: Instance) {
  if (spec.resourceClaims?.length) return true;
  const containers = [...(spec.containers ?? []), ...(spec.initContainers ?? [])];
  return containers.some(({ resources }: any) =>
    Object.keys(resources?.limits ?? {}).some((name) => {
      const [domain = "", of] = name.split("/");
      return /(^|\.)akri\.sh$/.test(domain) && [metadata.name, configurationName].includes(of!);
    }),
  );
}

/** What takes `node` out of an Instance; undefined when nothing changes. `bound` are its pods. Pure. */
export function withoutNode(
  instance: Instance,
  node: string,
  bound: KubeObject[],
): object | undefined {
  const { uid, resourceVersion } = instance.metadata;
  const { nodes: listed = [], deviceUsage = {} } = instance.spec;
  const holds = bound.some((pod) => !hasEnded(pod) && mayHold(pod, instance));
  const held = Object.entries(deviceUsage).filter(([, text]) => parseUsage(text)?.node === node);
  const freed = holds ? [] : held;
  if (!listed.includes(node) && freed.length === 0) return undefined;
  return {
    metadata: { uid, resourceVersion },
    spec: {
      nodes: listed.filter((name) => name !== node),
      // An entry that is "" would be somebody's; one that is gone is nobody's.
      deviceUsage: Object.fromEntries(freed.map(([slot]) => [slot, null])),
    },
  };
}

async function reconcile(name: string, { client, informer }: ControllerContext) {
  if (!isLost(informer(nodes).get(name))) return;
  const bound = informer(pods)
    .list()
    .filter(({ spec }) => spec.nodeName === name);
  for (const instance of informer(instances).list() as Instance[]) {
    const patch = withoutNode(instance, name, bound);
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
    { resource: pods, keys: ({ spec }) => (spec.nodeName ? [spec.nodeName] : []) },
  ],
  outputs: [instances],
  reconcile,
};
