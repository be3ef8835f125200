// Pods of other machines through VXLAN (RFC 7348). Nothing is learned and nothing flooded: where a machine's
// tunnel ends follows from the range of its pods, so what every node already tells is all there is to know.
import type { NodeLink, RunIp } from "./node-link.ts";

/** Linux' own, as other pod networks use it. */
const port = 8472;
/** Outer headers of IPv4, UDP, VXLAN and Ethernet. */
export const vxlanBytes = 50;

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

export const vxlanName = (bridge: string) => `${bridge}x`;

const networkOf = (cidr: string) => cidr.replace(/\/\d+$/, "");

/** The tunnel's end at the machine that has these pods: a locally administered address of their range. Pure. */
export function macOf(cidr: string): string {
  const octets = networkOf(cidr).split(".").map(Number);
  return ["0a", "4b", ...octets.map((octet) => octet.toString(16).padStart(2, "0"))].join(":");
}

/** One for each cluster, from its range of pods. Pure. */
export function vniOf(clusterCidr: string): number {
  const [first = 0, second = 0, third = 0] = networkOf(clusterCidr).split(".").map(Number);
  return (first << 16) | (second << 8) | third;
}

export function vxlanLink(options: VxlanOptions, run: RunIp): NodeLink {
  const { name, clusterCidr, podCidr, gateway, address, mtu } = options;
  const ip = (...args: string[]) => run("ip", args);
  const make = () =>
    ip(
      ...["link", "add", name, "address", macOf(podCidr), "mtu", String(mtu - vxlanBytes)],
      ...["type", "vxlan", "id", String(vniOf(clusterCidr)), "local", address],
      ...["dstport", String(port), "nolearning"],
    );
  return {
    async open() {
      // An older one may have another end.
      await ip("link", "delete", name).catch(() => {});
      await make();
      await ip("address", "replace", `${networkOf(podCidr)}/32`, "dev", name);
      await ip("link", "set", name, "up");
    },
    async add(cidr, there) {
      const [mac, via] = [macOf(cidr), networkOf(cidr)];
      await run("bridge", ["fdb", "replace", mac, "dev", name, "dst", there, "self", "permanent"]);
      await ip("neighbor", "replace", via, "lladdr", mac, "dev", name, "nud", "permanent");
      await ip("route", "replace", cidr, "via", via, "dev", name, "onlink", "src", gateway);
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
