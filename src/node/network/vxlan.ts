// Pods of other machines through VXLAN (RFC 7348). Nothing is learned and nothing flooded: where a machine's
// tunnel ends follows from the range of its pods, so what every node already tells is all there is to know.
import { createHash } from "node:crypto";
import { addressNumber, familyOf } from "../../lib/ip-range.ts";
import type { IpFamily } from "../../lib/ip-range.ts";
import type { NodeLink, RunIp } from "./node-link.ts";

/** Linux' own, as other pod networks use it. */
const port = 8472;
/** Outer headers of IP, UDP, VXLAN and Ethernet, between addresses of this family. */
export const vxlanBytes = { IPv4: 50, IPv6: 70 } as const;

export interface VxlanOptions {
  /** At most 15 characters. */
  name: string;
  /** All pods of the cluster; clusters that share a machine differ in it. */
  clusterCidr: string;
  podCidr: string;
  gateway: string;
  /** This machine's, where others reach it. */
  address: string;
  /** Of the link to the other machines. */
  mtu: number;
}

/** Each family of pods has a tunnel of its own. */
export const vxlanName = (bridge: string, family: IpFamily) =>
  `${bridge}${family === "IPv6" ? "y" : "x"}`;

/** A digest of a range: those of IPv6 do not fit where those of IPv4 do. */
const digestOf = (cidr: string) => createHash("sha256").update(cidr).digest();
const ipv6Networks = 0xfd;

const networkOf = (cidr: string) => cidr.replace(/\/\d+$/, "");

/** The tunnel's end at the machine that has these pods: a locally administered address of their range. Pure. */
export function macOf(cidr: string): string {
  const octets =
    familyOf(cidr) === "IPv6"
      ? [...digestOf(cidr).subarray(0, 4)]
      : networkOf(cidr).split(".").map(Number);
  return ["0a", "4b", ...octets.map((octet) => octet.toString(16).padStart(2, "0"))].join(":");
}

/** One for each cluster, from its range of pods. Pure. */
export function vniOf(clusterCidr: string): number {
  if (familyOf(clusterCidr) === "IPv6") {
    return (ipv6Networks << 16) | digestOf(clusterCidr).readUInt16BE(0);
  }
  return Number(addressNumber(networkOf(clusterCidr)) >> 8n);
}

export function vxlanLink(options: VxlanOptions, run: RunIp): NodeLink {
  const { name, clusterCidr, podCidr, gateway, address, mtu } = options;
  const ip = (...args: string[]) => run("ip", args);
  const outer = familyOf(address);
  const family = familyOf(podCidr);
  const [bits, plain] = family === "IPv6" ? [128, ["nodad"]] : [32, []];
  const make = () =>
    ip(
      ...["link", "add", name, "address", macOf(podCidr), "mtu", String(mtu - vxlanBytes[outer])],
      ...["type", "vxlan", "id", String(vniOf(clusterCidr)), "local", address],
      ...["dstport", String(port), "nolearning"],
    );
  const towards = (cidr: string) => {
    return ["via", networkOf(cidr), "dev", name, "onlink", "src", gateway];
  };
  return {
    family,
    choose: (addresses) => addresses.find((one) => familyOf(one) === outer),
    async open() {
      // An older one may have another end.
      await ip("link", "delete", name).catch(() => {});
      await make();
      await ip("address", "replace", `${networkOf(podCidr)}/${bits}`, "dev", name, ...plain);
      await ip("link", "set", name, "up");
    },
    towards,
    async add(cidr, there) {
      const [mac, via] = [macOf(cidr), networkOf(cidr)];
      await run("bridge", ["fdb", "replace", mac, "dev", name, "dst", there, "self", "permanent"]);
      await ip("neighbor", "replace", via, "lladdr", mac, "dev", name, "nud", "permanent");
      await ip("route", "replace", cidr, ...towards(cidr));
    },
    async remove(cidr, there) {
      const [mac, via] = [macOf(cidr), networkOf(cidr)];
      await ip("route", "delete", cidr, "dev", name).catch(() => {});
      await ip("neighbor", "delete", via, "dev", name).catch(() => {});
      const entry = ["fdb", "delete", mac, "dev", name, "dst", there, "self"];
      await run("bridge", entry).catch(() => {});
    },
  };
}
