// How packets get from this machine to the pods of another: along the machines' own network, where they are on
// one link, or in VXLAN between machines that only reach each other by address.
import type { IpFamily } from "../../lib/ip-range.ts";

export const podNetworks = ["routes", "vxlan"] as const;
export type PodNetworkKind = (typeof podNetworks)[number];

export interface NodeLink {
  /** Makes what all routes need. Idempotent. */
  open(): Promise<void>;
  /** Routes that stand now, address by range of pods; undefined where nobody else takes any away. */
  made?(): Promise<Map<string, string>>;
  /** Of the pods that are reached by it. */
  family: IpFamily;
  /** Of a node's addresses the one that leads to its pods; undefined when none does. Pure. */
  choose(addresses: string[]): string | undefined;
  /** Pods of `cidr` are with the machine at `address`. Idempotent. */
  add(cidr: string, address: string): Promise<void>;
  remove(cidr: string, address: string): Promise<void>;
  /** Words of a route that leads to that machine, once its pods are known. */
  towards(cidr: string, address: string): string[];
}

export type RunIp = (command: "ip" | "bridge", args: string[]) => Promise<unknown>;
