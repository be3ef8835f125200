// Serves metrics.k8s.io from what the nodes' agents tell, so that `kubectl top` and the autoscaler work without
// an add-on. An APIService that names another server takes the group over, as anywhere.
import { timestamp } from "../../lib/clock.ts";
import { parseShared } from "../../lib/parse-shared.ts";
import { isStatus, notFound } from "../../lib/status-error.ts";
import type { Kind } from "../../kinds/kind.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { HandlerContext } from "../policy.ts";
import type { ApiResponse } from "../request.ts";
import type { ApiServer } from "../server.ts";
import { selectionOf } from "../selection.ts";
import { metricsGroup, nodeMetrics, podMetrics } from "./kinds.ts";
import { UsageReader } from "./usage.ts";
import type { NodeRates, PodRates, Rate } from "./usage.ts";

const apiVersion = `${metricsGroup}/v1beta1`;

const usageOf = ({ nanocores, memoryBytes }: Rate) => ({
  cpu: `${nanocores}n`,
  memory: `${Math.round(memoryBytes / 1024)}Ki`,
});

const frame = (kind: Kind, of: KubeObject, { at, windowMs }: NodeRates): KubeObject => {
  const { name, namespace, labels } = of.metadata;
  return {
    kind: kind.kind,
    apiVersion,
    metadata: {
      name,
      ...(namespace && { namespace }),
      ...(labels && { labels }),
      creationTimestamp: timestamp(at),
    } as KubeObject["metadata"],
    timestamp: timestamp(at),
    window: `${(windowMs / 1000).toFixed(3)}s`,
  } as KubeObject;
};

const nodeObject = (node: KubeObject, rates: NodeRates): KubeObject => ({
  ...frame(nodeMetrics, node, rates),
  usage: usageOf(rates),
});

const podObject = (pod: KubeObject, rates: NodeRates, { containers }: PodRates): KubeObject => ({
  ...frame(podMetrics, pod, rates),
  containers: [...containers].map(([name, rate]) => ({ name, usage: usageOf(rate) })),
});

export function plugMetrics(server: ApiServer) {
  const reader = new UsageReader((name) => server.nodeConnector!(name), server.clock);

  const stored = async (prefix: string) =>
    (await server.store.list(prefix)).entries.map(({ value }) => parseShared<KubeObject>(value));

  /** What each node uses; one that cannot be asked is left out. */
  async function allRates(nodes: KubeObject[]): Promise<Map<string, NodeRates>> {
    const names = nodes.map(({ metadata }) => metadata.name);
    reader.keepOnly(new Set(names));
    const found = new Map<string, NodeRates>();
    const ask = async (name: string) => {
      const rates = await reader.of(name).catch((error: unknown) => {
        if (!isStatus(error, "ServiceUnavailable", "NotFound")) throw error;
      });
      if (rates) found.set(name, rates);
    };
    await Promise.all(names.map(ask));
    return found;
  }

  async function nodeItems(): Promise<KubeObject[]> {
    const nodes = await stored("nodes/");
    const rates = await allRates(nodes);
    return nodes.flatMap((node) => {
      const found = rates.get(node.metadata.name);
      return found ? [nodeObject(node, found)] : [];
    });
  }

  async function podItems(namespace: string): Promise<KubeObject[]> {
    const [nodes, pods] = await Promise.all([
      stored("nodes/"),
      stored(namespace ? `pods/${namespace}/` : "pods/"),
    ]);
    const rates = await allRates(nodes);
    return pods.flatMap((pod) => {
      const onNode = rates.get(pod.spec.nodeName ?? "");
      const used = onNode?.pods.find((one) => one.pod.uid === pod.metadata.uid);
      return onNode && used ? [podObject(pod, onNode, used)] : [];
    });
  }

  const handler =
    (items: (namespace: string) => Promise<KubeObject[]>) =>
    async ({ request, info }: HandlerContext): Promise<ApiResponse> => {
      const { kind, name, namespace } = info;
      const selection = selectionOf(request.query, kind);
      const all = await items(namespace ?? "");
      if (!name) {
        const chosen = selection ? all.filter(selection.matches) : all;
        const object = { kind: kind.listKind, apiVersion, metadata: {}, items: chosen };
        return { code: 200, object };
      }
      const found = all.find(({ metadata }) => metadata.name === name);
      if (!found) throw notFound({ group: metricsGroup, resource: kind.plural }, name);
      return { code: 200, object: found };
    };

  server.plugs.reviews.set(`nodes.${metricsGroup}`, handler(nodeItems));
  server.plugs.reviews.set(`pods.${metricsGroup}`, handler(podItems));
  server.kinds.add(nodeMetrics);
  server.kinds.add(podMetrics);
}
