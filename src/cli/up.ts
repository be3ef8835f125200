import { isIP } from "node:net";
import { Command, InvalidArgumentError, Option } from "commander";
import { examples } from "./examples.ts";
import { isCidr } from "../lib/ip-range.ts";
import { addNodeOptions } from "./node-options.ts";
import type { NodeOptions } from "./node-options.ts";

export interface UpOptions extends NodeOptions {
  dataDir: string;
  port?: number;
  name?: string;
  detach?: boolean;
  auditPolicy?: string;
  auditLog?: string;
  auditLogMaxSize?: number;
  auditLogMaxBackups?: number;
  store?: string;
  ingress?: boolean;
  ingressHttpPort?: number;
  ingressHttpsPort?: number;
  ingressAddress?: string;
  podNetwork?: "routes" | "vxlan";
  podCidr?: string[];
  serviceCidr?: string[];
  serverTokenFile?: string;
  /** False with --no-node. */
  node?: boolean;
  listen?: string[];
  authenticationConfig?: string;
  devices?: boolean;
  hub?: boolean;
  gitops?: boolean;
  krustlet?: boolean;
  vms?: boolean;
}

/** A TCP port from the command line. */
export function parsePort(text: string): number {
  const port = Number(text);
  if (!Number.isInteger(port) || port < 1 || port > 65535) {
    throw new InvalidArgumentError("a port is a whole number from 1 to 65535.");
  }
  return port;
}

/** A whole number from 1 up, from the command line. */
export function parseCount(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count > 0) return count;
  throw new InvalidArgumentError("a whole number from 1 up is needed.");
}

function parseAddress(text: string, before: string[] = []): string[] {
  if (isIP(text) === 0) throw new InvalidArgumentError("an address of this machine is needed.");
  return [...before, text];
}

/** `10.42.0.0/16,fd00:42::/56`. */
export function parseRanges(text: string): string[] {
  const ranges = text.split(",").map((range) => range.trim());
  const wrong = ranges.find((range) => !isCidr(range));
  if (wrong !== undefined) {
    throw new InvalidArgumentError(`'${wrong}' is no range such as 10.42.0.0/16 or fd00:42::/56.`);
  }
  if (ranges.length <= 2) return ranges;
  throw new InvalidArgumentError("at most one range of IPv4 and one of IPv6 are taken.");
}

/** A DNS label, since the site's name is also its node's. */
export function parseSiteName(text: string): string {
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(text)) {
    throw new InvalidArgumentError(
      "a site's name has at most 63 characters: lower-case letters, digits and '-', " +
        "starting and ending with a letter or digit.",
    );
  }
  return text;
}

/** An unset variable of a script must not make a site of the folder that it runs in. */
function parseDirectory(text: string): string {
  if (text === "") throw new InvalidArgumentError("the name of a folder is needed.");
  return text;
}

export const dataDirOption = (directory: string) =>
  new Option("--data-dir <dir>", "the site's data directory")
    .default(directory)
    .argParser(parseDirectory);

/** `kerb up`. `start` resolves with the exit code. */
export function upCommand(directory: string, start: (options: UpOptions) => Promise<number>) {
  const command = new Command("up")
    .summary("start a site on this machine")
    .description(
      "Starts a site: API server, store, controllers, scheduler and node agent in one process. " +
        "Containers of an earlier run are adopted, not restarted.",
    )
    .addOption(dataDirOption(directory))
    .option(
      "--port <n>",
      "port of the API server (default: 6443, later the port of the first start)",
      parsePort,
    )
    .option("--name <site>", "name of the site and its node (default: the host's)", parseSiteName)
    .option("--audit-policy <file>", "audit policy file (Policy of audit.k8s.io/v1)")
    .option("--audit-log <file>", "audit log file (default: DIR/audit.log)")
    .option(
      "--audit-log-max-size <MiB>",
      "size at which the audit log is rotated (default: 100)",
      parseCount,
    )
    .option("--audit-log-max-backups <n>", "rotated audit logs to keep (default: 5)", parseCount)
    .option(
      "--store <url>",
      "store objects in etcd, for a cluster of several servers: etcd://HOST:PORT[,...]",
    )
    .option(
      "--server-token-file <file>",
      "token with which another server joins the cluster (default: DIR/server-token)",
    )
    .addOption(
      new Option(
        "--pod-network <how>",
        "how pods on other nodes are reached: routes if nodes share a link (default), vxlan otherwise",
      ).choices(["routes", "vxlan"]),
    )
    .option(
      "--pod-cidr <ranges>",
      "pod addresses: an IPv4 range, an IPv6 range, or both as A,B with the primary family first",
      parseRanges,
    )
    .option("--service-cidr <ranges>", "Service addresses, of the same families", parseRanges)
    .option("--no-node", "API server and controllers only: no containers on this machine")
    .option("--listen <ip>", "also listen on this address of the machine; repeatable", parseAddress)
    .option(
      "--authentication-config <file>",
      "authenticate users by OpenID Connect issuers (AuthenticationConfiguration of apiserver.config.k8s.io/v1)",
    )
    .option("--devices", "discover leaf devices by Akri's Configurations (akri.sh/v0)")
    .option("--krustlet", "add a second node, NAME-wasm, for pods written for Krustlet")
    .option("--ingress", "serve Ingresses and Gateway API routes on ports 80 and 443")
    .option("--ingress-http-port <n>", "port to use instead of 80", parsePort)
    .option("--ingress-https-port <n>", "port to use instead of 443", parsePort)
    .option("--ingress-address <ip>", "address to listen on (default: all)")
    .option("--hub", "be the hub of other sites (Open Cluster Management)")
    .option("--vms", "run virtual machines (KubeVirt's API)")
    .option(
      "--gitops",
      "apply manifests from git and registries (Flux's GitRepository, OCIRepository and Kustomization)",
    )
    .option("--detach", "run in the background; return when the site is Ready")
    .addHelpText(
      "after",
      examples({
        "kerb up": "in the foreground; Ctrl-C stops it",
        "kerb up --detach": "in the background",
        "kerb up --data-dir /srv/lab --port 7443": "a second site on this machine",
        "kerb up --store etcd://10.0.0.5:2379 --listen 10.0.0.6": "one of several servers",
        "kerb up --pod-cidr 10.42.0.0/16,fd00:42::/56 --service-cidr 10.43.0.0/16,fd00:43::/112":
          "",
      }),
    )
    .action(async (options: UpOptions) => {
      process.exitCode = await start(options);
    });
  return addNodeOptions(command);
}
