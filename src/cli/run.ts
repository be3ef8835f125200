import { isIP } from "node:net";
import { Command, InvalidArgumentError } from "commander";
import { examples } from "./examples.ts";
import { parsePort } from "./up.ts";

/** Where a cluster's API server reaches this machine. */
export interface Advertised {
  host: string;
  port: number;
}

/** Fixed, so that a firewall may know it. */
const advertisedPort = 7443;

/** `IP`, `IPv4:PORT` or `[IPv6]:PORT`. */
export function parseAdvertised(text: string): Advertised {
  if (isIP(text)) return { host: text, port: advertisedPort };
  const [, six, four, digits] = /^(?:\[(.+)\]|([^:]+)):(\d{1,5})$/.exec(text) ?? [];
  const [host, port] = [six ?? four ?? "", Number(digits)];
  if (isIP(host) && port > 0 && port < 65_536) return { host, port };
  throw new InvalidArgumentError(`${text} is no IP address, nor one with a port.`);
}

export interface RunOptions {
  kubeconfig: string;
  wings: string[];
  advertise?: Advertised;
  node?: string;
  kubeletDirectory?: string;
  ingressHttpPort?: number;
  ingressHttpsPort?: number;
  ingressAddress?: string;
}

/** `a,b` as a list of names among `known`; `refused` says of others why they are none. */
export function parseWings(known: string[], refused: Record<string, string>) {
  return (text: string): string[] => {
    const names = text.split(",").map((name) => name.trim());
    const strange = names.find((name) => !known.includes(name));
    if (strange === undefined) return [...new Set(names)];
    const why = Object.hasOwn(refused, strange) && refused[strange];
    if (why)
      throw new InvalidArgumentError(`${strange} is no wing for clusters of others: ${why}.`);
    throw new InvalidArgumentError(`there is no wing ${strange}; there are: ${known.join(", ")}.`);
  };
}

interface Wings {
  /** What each is. */
  summaries: Record<string, string>;
  /** Why others are none. */
  refused: Record<string, string>;
}

/** `kerb run`; `start` resolves with the exit code. */
export function runCommand(
  { summaries, refused }: Wings,
  start: (options: RunOptions) => Promise<number>,
) {
  const names = Object.keys(summaries);
  const width = Math.max(...names.map((name) => name.length));
  const lines = names.map((name) => `  ${name.padEnd(width)}  ${summaries[name]}\n`);
  return new Command("run")
    .summary("run wings of Kerb on a cluster that is there already")
    .description(
      "Runs parts of Kerb, called wings, against any conformant cluster, in the foreground. They act as " +
        "the kubeconfig's user; of several that run the same wing one acts.",
    )
    .requiredOption("--kubeconfig <file>", "of the cluster")
    .requiredOption("--wings <a,b>", "which ones", parseWings(names, refused))
    .option(
      "--advertise <ip[:port]>",
      `where the cluster's API server reaches this machine, for \`kubectl --cluster SITE\` (port ${advertisedPort})`,
      parseAdvertised,
    )
    .option("--node <name>", "the node that this machine is (default: the host's name)")
    .option("--kubelet-directory <dir>", "of this machine's kubelet (default: /var/lib/kubelet)")
    .option("--ingress-http-port <n>", "of this machine, in the place of 80", parsePort)
    .option("--ingress-https-port <n>", "of this machine, in the place of 443", parsePort)
    .option("--ingress-address <ip>", "the only address to let requests in by (default: all)")
    .addHelpText(
      "after",
      `\nWings:\n${lines.join("")}${examples({
        "kerb run --kubeconfig ~/.kube/config --wings hub": "",
        "kerb run --kubeconfig k3s.yaml --wings devices,device-node --node edge-1": "",
      })}`,
    )
    .action(async (options: RunOptions) => {
      process.exitCode = await start(options);
    });
}
