// The ranges of pods that nodes have, cut from the cluster's.
import { networkOf, numberAddress } from "./ip-range.ts";

/** Of a node's range: 254 addresses, or a link of IPv6. */
export const nodeBits = { IPv4: 24, IPv6: 64 } as const;

/** How many nodes a cluster's range is for. */
export function nodesIn(clusterCidr: string): number {
  const { family, bits } = networkOf(clusterCidr);
  return bits > nodeBits[family] ? 0 : 2 ** (nodeBits[family] - bits);
}

/** The range of the node with this number, from 0 on. */
export function nodeRange(clusterCidr: string, number: number): string {
  const { base, family, hostBits, bits } = networkOf(clusterCidr);
  const step = BigInt(hostBits - (nodeBits[family] - bits));
  return `${numberAddress(base + (BigInt(number) << step), family)}/${nodeBits[family]}`;
}
