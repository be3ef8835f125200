// What this machine must be able to do before pods have addresses of IPv6, and what it must do then.
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { runCommand } from "../../lib/run-command.ts";

const settings = "/proc/sys/net/ipv6/conf";

export interface Ipv6Facts {
  /** The kernel has it, and was not started with ipv6.disable=1. */
  isThere: boolean;
  /** Content of `disable_ipv6` of all links, and of those that come. */
  disabled: { all: string; default: string };
}

const read = (path: string) => {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
};

export const ipv6Facts = (): Ipv6Facts => ({
  isThere: existsSync("/proc/net/if_inet6") && existsSync(settings),
  disabled: {
    all: read(`${settings}/all/disable_ipv6`),
    default: read(`${settings}/default/disable_ipv6`),
  },
});

/** Why pods cannot have addresses of IPv6 here; undefined when they can. Pure. */
export function ipv6Problem({ isThere, disabled }: Ipv6Facts): string | undefined {
  if (!isThere)
    return "the kernel of this machine has no IPv6 (or was started with ipv6.disable=1)";
  const off = (["all", "default"] as const).find((which) => disabled[which] === "1");
  if (!off) return undefined;
  const name = `net.ipv6.conf.${off}.disable_ipv6`;
  return `IPv6 is switched off on this machine (${name} is 1); sysctl -w ${name}=0 switches it on`;
}

/** Links with a route that a router told of, in `ip -6 route`. Pure. */
export const toldLinks = (routes: string): string[] => [
  ...new Set([...routes.matchAll(/ dev (\S+) .*\bproto ra\b/g)].map((match) => match[1]!)),
];

/**
 * Lets the machine forward. One that forwards takes no routes from routers any more, and would lose its own way
 * out when those it has grow old: it is told to go on where it has one.
 */
export async function forwardIpv6() {
  const all = `${settings}/all/forwarding`;
  if (read(all) === "1") return;
  const routes = await runCommand("ip", ["-6", "route", "show"]);
  const links = new Set(readdirSync(settings));
  for (const link of toldLinks(routes)) {
    const accepts = `${settings}/${link}/accept_ra`;
    if (links.has(link) && read(accepts) === "1") writeFileSync(accepts, "2");
  }
  writeFileSync(all, "1");
}

/**
 * The machine's end of a new pod's cable answers at once: its addresses are not tried first, as they are when the
 * plugin makes them. Idempotent.
 */
export async function settleCable(podIp: string, gateway: string) {
  const route = await runCommand("ip", ["-6", "route", "get", podIp]).catch(() => "");
  const device = /\bdev (veth\S+)/.exec(route)?.[1];
  if (!device) return;
  const trying = await runCommand("ip", ["-6", "address", "show", "dev", device, "tentative"]);
  if (!trying.includes("inet6")) return;
  const commands = [
    `address delete ${gateway}/128 dev ${device}`,
    `address add ${gateway}/128 dev ${device} nodad`,
    `address replace ${linkAddress}/64 dev ${device} nodad`,
  ];
  await runCommand("ip", ["-6", "-batch", "-"], `${commands.join("\n")}\n`);
}

/** Any will do, as every cable is a link of its own. */
const linkAddress = "fe80::1";
