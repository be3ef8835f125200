// Pods of other machines by plain routes between the machines' addresses. The kernel forgets a route whose interface
// goes down, and one outlives the process that made it: so each has a mark, by which those that stand are found again.
import { covers, familyOf } from "../../lib/ip-range.ts";
import type { IpFamily } from "../../lib/ip-range.ts";
import type { NodeLink, RunIp } from "./node-link.ts";

/** Marks the routes as these. */
const protocol = "106";

/** Those of this cluster; several may share a machine. */
async function routesIn(clusterCidr: string, run: RunIp): Promise<Map<string, string>> {
  const family = familyOf(clusterCidr) === "IPv6" ? "-6" : "-4";
  const listed = await run("ip", ["-json", family, "route", "show", "proto", protocol]);
  const all: { dst: string; gateway?: string }[] = JSON.parse(String(listed ?? "") || "[]");
  const own = all.filter(({ dst }) => dst.includes("/") && covers(clusterCidr, dst.split("/")[0]!));
  return new Map(own.map(({ dst, gateway = "" }) => [dst, gateway]));
}

export function directLink(clusterCidr: string, run: RunIp): NodeLink {
  const family: IpFamily = familyOf(clusterCidr);
  const way = ["proto", protocol];
  return {
    family,
    open: async () => {},
    made: () => routesIn(clusterCidr, run),
    choose: (addresses) => addresses.find((address) => familyOf(address) === family),
    add: async (cidr, address) => {
      await run("ip", ["route", "replace", cidr, "via", address, ...way]);
    },
    towards: (_, address) => ["via", address],
    remove: async (cidr) => {
      await run("ip", ["route", "delete", cidr, ...way]).catch(() => {});
    },
  };
}

/** When the site or node is taken down. */
export async function removeDirectRoutes(clusterCidr: string, run: RunIp) {
  const { made, remove } = directLink(clusterCidr, run);
  for (const [cidr, address] of await made!()) await remove(cidr, address);
}
