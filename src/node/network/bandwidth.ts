// Limits of a pod's bandwidth, by its annotations: what it gets is shaped on the machine's end of its cable, what
// it sends on its own end. Both go with the cable.
import type { KubeObject } from "../../kinds/object.ts";
import { parseQuantity } from "../../lib/quantity.ts";
import { runCommand } from "../../lib/run-command.ts";

/** As kubelet takes them. */
const bitsMin = 1000;
const bitsMax = 1e15;
const annotations = {
  ingress: "kubernetes.io/ingress-bandwidth",
  egress: "kubernetes.io/egress-bandwidth",
} as const;

/** Bits a second; absent for no limit. */
export interface Bandwidth {
  ingress?: number;
  egress?: number;
}

/** Throws for a value that is no amount of bits, or not within 1k and 1P. Pure. */
export function bandwidthOf({ metadata }: KubeObject): Bandwidth {
  const limits: Bandwidth = {};
  for (const way of ["ingress", "egress"] as const) {
    const text = metadata.annotations?.[annotations[way]];
    if (text === undefined) continue;
    const bits = parseQuantity(text);
    if (!(bits >= bitsMin && bits <= bitsMax)) {
      throw new Error(`${annotations[way]} must be between 1k and 1P: ${text}`);
    }
    limits[way] = bits;
  }
  return limits;
}

/** A bucket of a tenth of a second, and never less than a few packets. Pure. */
export function shaping(device: string, bits: number): string[] {
  const burst = Math.max(Math.ceil(bits / 80), 16_000);
  const rate = ["rate", `${Math.round(bits)}bit`, "burst", `${burst}b`, "latency", "25ms"];
  return ["qdisc", "replace", "dev", device, "root", "tbf", ...rate];
}

/** The network namespace in which the other end of a cable lies. */
async function farEnd(device: string): Promise<string> {
  const [link] = JSON.parse(await runCommand("ip", ["-json", "link", "show", "dev", device]));
  const ids = await runCommand("ip", ["netns", "list-id"]);
  const named = new RegExp(`^nsid ${link.link_netnsid} .*name: (\\S+?)\\)?$`, "m").exec(ids);
  if (!named) throw new Error(`the other end of ${device} is not to be found`);
  return named[1]!;
}

/** Resolves once the pod's limits stand. Idempotent. */
export async function limitBandwidth(pod: KubeObject, address: string) {
  const { ingress, egress } = bandwidthOf(pod);
  if (ingress === undefined && egress === undefined) return;
  const route = await runCommand("ip", ["route", "get", address]);
  const device = /\bdev (\S+)/.exec(route)?.[1] ?? "";
  if (ingress !== undefined) await runCommand("tc", shaping(device, ingress));
  if (egress === undefined) return;
  const netns = await farEnd(device);
  await runCommand("tc", ["-netns", netns, ...shaping("eth0", egress)]);
}
