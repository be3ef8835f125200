// How packets get from this machine to the pods of another: along the machines' own network, where they are on
// one link, or in VXLAN between machines that only reach each other by address.

import { familyOf } from "../../lib/ip-range.ts";
import type { IpFamily } from "../../lib/ip-range.ts";

export const podNetworks = ["routes", "vxlan"] as const;
export type PodNetworkKind = (typeof podNetworks)[number];

export interface NodeLink {
  /** Makes what all routes need. Idempotent. */
  open(): Promise<void>;
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

export const directLink = (family: IpFamily, run: RunIp): NodeLink => ({
  family,
  open: async () => {},
  choose: (addresses) => addresses.find((address) => familyOf(address) === family),
  add: async (cidr, address) => void (await run("ip", ["route", "replace", cidr, "via", address])),
  towards: (_, address) => ["via", address],
  remove: async (cidr) => void (await run("ip", ["route", "delete", cidr]).catch(() => {})),
});
