// Lays the guest's cable in the pod's network namespace, as root from the host: QEMU gets a tap that is its own
// and no privilege.
import { readFileSync } from "node:fs";
import { runCommand } from "../../lib/run-command.ts";
import type { Domain } from "../domain.ts";
import { qemuUser } from "../domain.ts";
import { tapQueues } from "../qemu/device-arguments.ts";
import type { Lease, NetworkPlan } from "./network-plan.ts";
import { networkPlan, networkSettings, podInterface } from "./network-plan.ts";

export interface PreparedNetwork {
  taps: Record<string, string>;
  mtu: number;
  leases: Lease[];
}

const mtuDefault = 1500;

function resolvers(file: string | undefined): Pick<Lease, "dns" | "searches"> {
  const text = file ? readFileSync(file, "utf8") : "";
  const words = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}\\s+(.*)$`, "gm"))].flatMap((match) =>
      match[1]!.trim().split(/\s+/),
    );
  return { dns: words("nameserver"), searches: words("search") };
}

export interface NetworkPlaces {
  /** Path of the namespace. */
  namespace: string;
  /** The pod's resolv.conf on the host. */
  resolvConf?: string | undefined;
}

export async function prepareNetwork(
  domain: Domain,
  { namespace, resolvConf }: NetworkPlaces,
): Promise<PreparedNetwork> {
  const inside = (command: string[], input = "") =>
    runCommand("nsenter", [`--net=${namespace}`, ...command], input);
  const prepared: PreparedNetwork = { taps: {}, mtu: mtuDefault, leases: [] };
  const set = (plans: NetworkPlan[]) => {
    const settings = Object.entries(networkSettings(domain, plans));
    const script = settings.map(([file, value]) => `echo ${value} >/proc/sys/${file}`);
    return inside(["sh", "-ec", script.join("\n")]);
  };
  if (domain.interfaces.length === 0) {
    await set([]);
    return prepared;
  }
  const listed = await Promise.all(
    ["address", "route"].map(async (what) => JSON.parse(await inside(["ip", "-json", what]))),
  );
  const pod = podInterface(listed[0], listed[1]);
  prepared.mtu = pod.mtu;
  const plans: NetworkPlan[] = [];
  for (const one of domain.interfaces) {
    const { address } = domain;
    const plan: NetworkPlan = networkPlan(one, pod, {
      ...{ user: qemuUser, address, isMultiQueue: tapQueues(domain, one) > 1 },
    });
    plans.push(plan);
    if (plan.tap) prepared.taps[one.name] = plan.tap;
    if (plan.lease) {
      const { mac, dhcp } = one;
      const names = { mac, hostname: domain.hostname, ...resolvers(resolvConf) };
      prepared.leases.push({ ...plan.lease, ...names, ...dhcp });
    }
    if (plan.ip.length > 0) await inside(["ip", "-batch", "-"], plan.ip.join("\n"));
    if (plan.nft) await inside(["nft", "-f", "-"], plan.nft);
  }
  await set(plans);
  return prepared;
}
