// Pods of other machines through VXLAN (RFC 7348). Nothing is learned and nothing flooded: where a machine's
// tunnel ends follows from the range of its pods, so what every node already tells is all there is to know.
// A tunnel outlives the process that made it, with what goes through it.
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

/** As `ip` shows one. */
interface Tunnel {
  address?: string;
  linkinfo?: {
    info_data?: { id?: number; local?: string; local6?: string; port?: number; learning?: boolean };
  };
}

/** Whether the tunnel that is there ends where it should. Pure. */
export function isTunnel(shown: Tunnel, { clusterCidr, podCidr, address }: VxlanOptions): boolean {
  const { id, local, local6, port: at, learning } = shown.linkinfo?.info_data ?? {};
  const ends = shown.address === macOf(podCidr) && (local ?? local6) === address;
  return ends && id === vniOf(clusterCidr) && at === port && learning === false;
}

const parsed = (shown: unknown) => JSON.parse(String(shown ?? "") || "[]");

/** Routes that stand with where they lead to; those of an earlier process as well. */
async function routesThrough(name: string, family: IpFamily, run: RunIp) {
  const version = family === "IPv6" ? "-6" : "-4";
  const [routes, ends] = await Promise.all([
    run("ip", ["-json", version, "route", "show", "dev", name]),
    run("bridge", ["-json", "fdb", "show", "dev", name]),
  ]);
  const there = new Map(
    (parsed(ends) as { mac: string; dst?: string }[]).map(({ mac, dst = "" }) => [mac, dst]),
  );
  const ranges = (parsed(routes) as { dst: string; gateway?: string }[]).filter(
    ({ dst, gateway }) => dst.includes("/") && gateway !== undefined,
  );
  return new Map(ranges.map(({ dst }) => [dst, there.get(macOf(dst)) ?? ""]));
}

export function vxlanLink(options: VxlanOptions, run: RunIp): NodeLink {
  const { name, clusterCidr, podCidr, gateway, address, mtu } = options;
  const ip = (...args: string[]) => run("ip", args);
  const outer = familyOf(address);
  const family = familyOf(podCidr);
  const [bits, plain] = family === "IPv6" ? [128, ["nodad"]] : [32, []];
  const innerMtu = String(mtu - vxlanBytes[outer]);
  const shown = async (): Promise<Tunnel | undefined> => {
    const listed = await ip("-json", "-details", "link", "show", "dev", name).catch(() => "");
    return parsed(listed)[0];
  };
  const make = () =>
    ip(
      ...["link", "add", name, "address", macOf(podCidr)],
      ...["type", "vxlan", "id", String(vniOf(clusterCidr)), "local", address],
      ...["dstport", String(port), "nolearning"],
    );
  const open = async () => {
    const before = await shown();
    if (!before || !isTunnel(before, options)) {
      if (before) await ip("link", "delete", name);
      await make();
    }
    await ip("address", "replace", `${networkOf(podCidr)}/${bits}`, "dev", name, ...plain);
    await ip("link", "set", name, "mtu", innerMtu, "up");
  };
  const towards = (cidr: string) => {
    return ["via", networkOf(cidr), "dev", name, "onlink", "src", gateway];
  };
  return {
    family,
    choose: (addresses) => addresses.find((one) => familyOf(one) === outer),
    open,
    made: () =>
      routesThrough(name, family, run).catch(async () => {
        // Somebody took the tunnel away.
        await open();
        return new Map();
      }),
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
