// Every node has a range of pod addresses of its own, cut from the cluster's. A node that brings one keeps it.
import { resource } from "../client/client.ts";
import { isStatus } from "../lib/status-error.ts";
import type { Controller } from "./runtime.ts";

const nodes = resource("v1", "nodes");
/** Of a node's range: 254 addresses. */
const nodeBits = 24;

const toNumber = (address: string) =>
  address.split(".").reduce((sum, part) => sum * 256 + Number(part), 0);
const toAddress = (number: number) =>
  [24, 16, 8, 0].map((shift) => Math.floor(number / 2 ** shift) % 256).join(".");

/** The first range of the cluster's that is nobody's; undefined when all are taken. Pure. */
export function freePodCidr(clusterCidr: string, taken: ReadonlySet<string>): string | undefined {
  const [base, bits] = clusterCidr.split("/") as [string, string];
  const ranges = 2 ** (nodeBits - Number(bits));
  for (let i = 0; i < ranges; i++) {
    const cidr = `${toAddress(toNumber(base) + i * 2 ** (32 - nodeBits))}/${nodeBits}`;
    if (!taken.has(cidr)) return cidr;
  }
  return undefined;
}

export const nodeIpam = (clusterCidr: string): Controller => ({
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
    const taken = new Set(items.flatMap(({ spec }) => spec?.podCIDR ?? []));
    const podCIDR = freePodCidr(clusterCidr, taken);
    if (!podCIDR) {
      event(
        node,
        "Warning",
        "CIDRNotAvailable",
        `no range of ${clusterCidr} is left for this node`,
      );
      return wakeAfter(name, 60_000);
    }
    const { resourceVersion } = node.metadata;
    const patch = { metadata: { resourceVersion }, spec: { podCIDR, podCIDRs: [podCIDR] } };
    await client.patch({ ...nodes, name }, "merge", patch as never).catch((error: unknown) => {
      if (!isStatus(error, "NotFound", "Conflict")) throw error;
    });
  },
});
