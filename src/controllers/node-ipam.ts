// Every node has a range of pod addresses of its own of each family, cut from the cluster's. A node that brings
// them keeps them.
import { resource } from "../client/client.ts";
import { nodeRange, nodesIn } from "../lib/node-range.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller } from "./runtime.ts";

const nodes = resource("v1", "nodes");

/** The first range of the cluster's that is nobody's; undefined when all are taken. Pure. */
export function freePodCidr(clusterCidr: string, taken: ReadonlySet<string>): string | undefined {
  const ranges = nodesIn(clusterCidr);
  for (let i = 0; i < ranges; i++) {
    const cidr = nodeRange(clusterCidr, i);
    if (!taken.has(cidr)) return cidr;
  }
  return undefined;
}

/** `clusterCidrs` has one range of each family, the cluster's own first. */
export const nodeIpam = (clusterCidrs: readonly string[]): Controller => ({
  name: "node-ipam",
  inputs: [{ resource: nodes }],
  outputs: [nodes],
  // One after the other, so that two nodes never see the same range free.
  workers: 1,
  async reconcile(name, { client, informer, event, wakeAfter }) {
    const node = informer(nodes).get(name);
    if (!node || node.spec?.podCIDR || node.metadata.deletionTimestamp) return;
    // Live, since a range given a moment ago may not be in the cache yet.
    const { items } = await client.list(nodes);
    const taken = new Set<string>(
      items.flatMap(({ spec }) => [spec?.podCIDR ?? [], spec?.podCIDRs ?? []].flat()),
    );
    const podCIDRs = clusterCidrs.flatMap((cidr) => freePodCidr(cidr, taken) ?? []);
    if (podCIDRs.length < clusterCidrs.length) {
      event(
        node,
        "Warning",
        "CIDRNotAvailable",
        `no range of ${clusterCidrs.join(", ")} is left for this node`,
      );
      return wakeAfter(name, 60_000);
    }
    const { resourceVersion } = node.metadata;
    const patch = { metadata: { resourceVersion }, spec: { podCIDR: podCIDRs[0], podCIDRs } };
    await client.patch({ ...nodes, name }, "merge", patch as never).catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
  },
});
