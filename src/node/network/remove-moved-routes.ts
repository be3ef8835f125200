// What a machine has of addresses that moved (moved-routes.ts) is taken away when the site or node is taken down. Pods of
// several clusters may share a machine, and each cluster's addresses are its own.
import { covers } from "../../lib/ip-range.ts";
import type { RunIp } from "./node-link.ts";
import { movedProtocol } from "./moved-routes.ts";

/** As `ip -json` shows them. */
interface Shown {
  routes: { dst: string }[];
  /** Routes of the table for those left behind. */
  leftBehind: { dst: string }[];
  rules: { src?: string; dst?: string; table?: string }[];
}

/** Words for `ip`. Pure. */
export function movedRemovals(clusterCidr: string, shown: Shown): string[][] {
  const isOurs = ({ dst }: { dst?: string }) => dst !== undefined && isIn(clusterCidr, dst);
  const { routes, leftBehind, rules } = shown;
  return [
    ...rules
      .filter((rule) => rule.table === movedProtocol && isOurs(rule))
      .map(({ src = "all", dst }) => [
        ...["rule", "delete", "from", src, "to", dst!],
        ...["lookup", movedProtocol],
      ]),
    ...routes.filter(isOurs).map(({ dst }) => ["route", "delete", dst, "proto", movedProtocol]),
    ...leftBehind.filter(isOurs).map(({ dst }) => ["route", "delete", dst, "table", movedProtocol]),
  ];
}

/** Whole ranges, `default` among them, are never an address that moved. */
const isIn = (cidr: string, dst: string) => /^[\d.]+$/.test(dst) && covers(cidr, dst);

export async function removeMovedRoutes(clusterCidr: string, run: RunIp) {
  const shown = async (...words: string[]) => {
    // A table that nothing was ever in is not there.
    const text = await run("ip", ["-json", ...words]).catch(() => "");
    return JSON.parse(String(text) || "[]");
  };
  const removals = movedRemovals(clusterCidr, {
    routes: await shown("route", "show", "proto", movedProtocol),
    leftBehind: await shown("route", "show", "table", movedProtocol),
    rules: await shown("rule", "show"),
  });
  for (const words of removals) await run("ip", words).catch(() => {});
}
