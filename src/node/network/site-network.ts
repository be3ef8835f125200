// The machine's side of the pod network. Pods are joined by routed veth pairs (CNI `ptp`), never by a
// shared bridge: every packet between pods passes the host's routing, so address translation and policy
// always see it, on kernels with and without br_netfilter. The site's own interface carries the gateway
// address (where the API server and DNS listen) and the route of the Service range.
import { writeFileSync } from "node:fs";
import { runCommand } from "../../lib/run-command.ts";

export interface NetworkSettings {
  /** Name of the site's interface, at most 15 characters. */
  interface: string;
  gateway: string;
  serviceCidr: string;
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
  await runCommand("ip", ["address", "replace", `${settings.gateway}/32`, "dev", name]);
  await runCommand("ip", ["link", "set", name, "up"]);
  const route = ["route", "replace", settings.serviceCidr, "dev", name, "src", settings.gateway];
  await runCommand("ip", route);
  writeFileSync("/proc/sys/net/ipv4/ip_forward", "1");
}

/** Takes the site's interface away, and its addresses and routes with it. */
export async function closeNetwork(name: string) {
  if (await exists(name)) await runCommand("ip", ["link", "delete", name]);
}

/** The CNI configuration of pods on this machine (CNI 0.4.0 list). */
export function cniConflist(settings: {
  name: string;
  podCidr: string;
  dataDirectory: string;
  mtu?: number;
}) {
  return {
    cniVersion: "0.4.0",
    name: settings.name,
    plugins: [
      {
        type: "ptp",
        ipMasq: false,
        ...(settings.mtu && { mtu: settings.mtu }),
        ipam: {
          type: "host-local",
          dataDir: settings.dataDirectory,
          ranges: [[{ subnet: settings.podCidr }]],
          routes: [{ dst: "0.0.0.0/0" }],
        },
      },
    ],
  };
}
