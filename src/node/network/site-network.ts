// The machine's side of the pod network. Pods are joined by routed veth pairs (CNI `ptp`), never by a
// shared bridge: every packet between pods passes the host's routing, so address translation and policy
// always see it, on kernels with and without br_netfilter. The site's own interface carries the gateway
// address (where the API server and DNS listen) and the route of the Service range.
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { familyOf } from "../../lib/ip-range.ts";
import { runCommand } from "../../lib/run-command.ts";
import { forwardIpv6 } from "./ipv6.ts";

export interface NetworkSettings {
  /** Name of the site's interface, at most 15 characters. */
  interface: string;
  /** One of each family that pods have addresses of. */
  families: { gateway: string; serviceCidr: string }[];
}

async function exists(name: string) {
  return runCommand("ip", ["link", "show", "dev", name]).then(
    () => true,
    () => false,
  );
}

/** Makes the site's interface, its address and route, and lets the machine forward. Idempotent. */
export async function openNetwork(settings: NetworkSettings) {
  const name = settings.interface;
  // A bridge without ports serves as a dummy interface, which not every kernel has.
  if (!(await exists(name))) await runCommand("ip", ["link", "add", name, "type", "bridge"]);
  for (const { gateway } of settings.families) {
    // Nobody else is on this link, and an address that is still being tried cannot be listened on.
    const whole = familyOf(gateway) === "IPv6" ? [`${gateway}/128`, "nodad"] : [`${gateway}/32`];
    await runCommand("ip", ["address", "replace", ...whole, "dev", name]);
  }
  await runCommand("ip", ["link", "set", name, "up"]);
  for (const { gateway, serviceCidr } of settings.families) {
    await runCommand("ip", ["route", "replace", serviceCidr, "dev", name, "src", gateway]);
    if (familyOf(gateway) === "IPv6") await forwardIpv6();
    else writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
  }
}

/** Takes the site's interface away, and its addresses and routes with it. */
export async function closeNetwork(name: string) {
  if (await exists(name)) await runCommand("ip", ["link", "delete", name]);
}

/** Where the addresses of pods are noted, in a folder for each network. */
export const cniLeases = (directory: string) => join(directory, "cni");

/**
 * What a pod's interface of IPv6 comes after: on a cable between two ends an address cannot be another's, and to
 * wait for that to show takes a pod more than a second.
 */
const withoutDetection = [
  { type: "loopback" },
  { type: "tuning", sysctl: { "net.ipv6.conf.default.accept_dad": "0" } },
];

/** The CNI configuration of pods on this machine (CNI 0.4.0 list). */
export function cniConflist(settings: {
  name: string;
  podCidrs: string[];
  dataDirectory: string;
  /** The plugin that gives addresses out. */
  addresses: string;
  mtu?: number;
}) {
  const isIpv6 = (cidr: string) => familyOf(cidr) === "IPv6";
  return {
    cniVersion: "0.4.0",
    name: settings.name,
    plugins: [
      ...(settings.podCidrs.some(isIpv6) ? withoutDetection : []),
      {
        type: "ptp",
        ipMasq: false,
        ...(settings.mtu && { mtu: settings.mtu }),
        ipam: {
          type: settings.addresses,
          dataDir: settings.dataDirectory,
          ranges: settings.podCidrs.map((subnet) => [{ subnet }]),
          routes: settings.podCidrs.map((cidr) => ({ dst: isIpv6(cidr) ? "::/0" : "0.0.0.0/0" })),
        },
      },
    ],
  };
}
