// Parts of Kerb that run on a cluster which is there already: one entry per wing, loaded when it is asked for.
import type { RunOptions } from "../../cli/run.ts";
import { defaultDataDirectory } from "../config.ts";
import type { RemoteCluster } from "../remote-cluster.ts";
import type { ActingParts } from "./acting-parts.ts";

export interface WingParts extends ActingParts {
  cluster: RemoteCluster;
  /** Where the cluster's API server reaches this process, when it does; port 0 is any. */
  host: string | undefined;
  port: number;
  /** All wings of this process. */
  wings: string[];
  /** The node that this machine is, for wings that act on each. */
  node: string;
  /** Where its kubelet has its sockets. */
  kubeletDirectory: string;
  /** Where this machine lets requests in. */
  ingress: Pick<RunOptions, "ingressHttpPort" | "ingressHttpsPort" | "ingressAddress">;
}

export interface Wing {
  /** For `kerb run --help`. */
  summary: string;
  /** Acts on every node, not once in the cluster. */
  onEachNode?: boolean;
  /** Acts until the scope ends; called again when it is this process' turn again. */
  start(parts: WingParts): Promise<void>;
}

const hub: Wing = {
  summary: "the centre of many sites, as Open Cluster Management's hub is",
  async start({ cluster, host, port, ...parts }) {
    const { controlHub, openReach } = await import("./hub.ts");
    const acting = { plane: cluster, ...parts };
    await controlHub(acting);
    const fixed = { read: () => port || undefined, keep: () => {} };
    if (host !== undefined) return openReach(acting, { host, port: fixed });
    parts.log.warn("nobody reaches sites through this hub", { why: "no --advertise" });
  },
};

const member: Wing = {
  summary: "makes the cluster a site of a hub, once `kerb attach --kubeconfig` said which",
  async start({ cluster, wings, ...parts }) {
    const { followHub } = await import("./member.ts");
    const { version, api } = cluster;
    followHub({
      plane: cluster,
      version,
      api,
      isKerb: false,
      isHub: wings.includes("hub"),
      ...parts,
    });
  },
};

const devices: Wing = {
  summary: "brokers, Services, claims and twins of leaf devices, by Akri's Configurations",
  async start({ cluster, ...parts }) {
    const { controlDevices } = await import("./devices.ts");
    await controlDevices({ plane: cluster, ...parts });
  },
};

const deviceNode: Wing = {
  summary: "looks for leaf devices on this machine, which is the node --node",
  onEachNode: true,
  async start({ cluster, node, kubeletDirectory, informers, clock, random, log, scope }) {
    const { akriDirectory, searchDevices } = await import("./devices.ts");
    const client = cluster.client("kerb-device-node");
    const place = { node, kubeletDirectory, directory: akriDirectory };
    await searchDevices({ client, informers, ...place, clock, random, log, scope });
  },
};

const gitops: Wing = {
  summary: "applies what lies in git and registries, by Flux's kinds",
  async start({ cluster, ...parts }) {
    const { controlGitOps } = await import("../gitops/start.ts");
    await controlGitOps({ ...parts, plane: cluster, directory: defaultDataDirectory() });
  },
};

const ingress: Wing = {
  summary: "lets requests in on this machine, by Ingresses and Gateway API of the class kerb",
  onEachNode: true,
  async start({ cluster, ingress: options, node, ...parts }) {
    const { openIngress } = await import("./ingress.ts");
    await openIngress({ ...parts, plane: cluster, options, settings: { name: node } });
  },
};

export const wings: Record<string, Wing> = {
  hub,
  member,
  gitops,
  ingress,
  devices,
  "device-node": deviceNode,
};

/** Parts of `kerb up` that people look for here, and why a cluster of others cannot have them. */
export const refusedWings: Record<string, string> = {
  vms:
    "a machine is a pod whose containerd starts QEMU for the handler vm, and only Kerb's nodes have that; " +
    "use: kerb up --vms",
  wasm:
    "a module is a pod whose containerd starts it for the handler wasm, and only Kerb's nodes have that; " +
    "use: kerb up",
};
