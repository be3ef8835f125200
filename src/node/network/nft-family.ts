// The words that nftables has for each family of addresses.
import type { IpFamily } from "../../lib/ip-range.ts";

export interface NftFamily {
  /** Of tables and of matches, `ip saddr`. */
  ip: "ip" | "ip6";
  /** The type of an address in sets and maps. */
  address: "ipv4_addr" | "ipv6_addr";
  loopback: string;
  /** An address that no client has. */
  nobody: string;
}

export const nftFamilies: Record<IpFamily, NftFamily> = {
  IPv4: { ip: "ip", address: "ipv4_addr", loopback: "127.0.0.0/8", nobody: "255.255.255.255" },
  IPv6: { ip: "ip6", address: "ipv6_addr", loopback: "::1", nobody: "::" },
};
