// A site, assembled: control plane, machine, controllers, scheduler, agent, network. Independent parts start
// side by side; everything started is owned by one scope and stops with it.
import { join } from "node:path";
import type { UpOptions } from "../../cli/up.ts";
import { resource } from "../../client/client.ts";
import { Informers } from "../../client/informers.ts";
import { startElection } from "../../client/leader-election.ts";
import { systemClock } from "../../lib/clock.ts";
import type { Log } from "../../lib/log.ts";
import type { NodeParts } from "../../lib/node-connection.ts";
import { systemRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { LocalPlugins } from "../../node/devices/local-plugins.ts";
import type { AgentOptions } from "../../node/agent.ts";
import type { PodGate } from "../../node/network/policy.ts";
import { asKrustlet } from "../../wasm/krustlet.ts";
import { wakeSleepers } from "../wings/activator.ts";
import { authenticationIn } from "./authentication-file.ts";
import { auditFilesOf } from "./audit-log.ts";
import type { AuditFiles } from "./audit-log.ts";
import {
  ensureApiServerObjects,
  ensureClusterRanges,
  ensureDnsObjects,
  ensureRuntimeClass,
  ensureStorageClass,
} from "./cluster-objects.ts";
import {
  clusterDomain,
  defaultPort,
  isRoot,
  kubernetesVersion,
  slotsDirectory,
} from "../config.ts";
import { startControl } from "./control.ts";
import { openControlPlane } from "./control-plane.ts";
import type { ControlPlane } from "./control-plane.ts";
import { startDns } from "./dns-source.ts";
import { keepLogShort } from "../log-file.ts";
import { keepIdleMemorySmall } from "../memory/idle-memory.ts";
import { kubeletDirectoryOf } from "../node/kubelet-directory.ts";
import { krustletName, startNodes } from "../wings/krustlet.ts";
import type { Agents } from "../wings/krustlet.ts";
import { tellUnsynced } from "./informer-sync.ts";
import { keptPort } from "./kept-port.ts";
import { backupsOf, kerbHost } from "./kerb-host.ts";
import { checkFamilies, openMachine } from "../node/machine.ts";
import { followHub, ownSite } from "../wings/member.ts";
import { siteAddresses } from "../node/node-addresses.ts";
import { nodeSettingsOf, registriesOf } from "../node/node-settings.ts";
import type { Machine } from "../node/machine.ts";
import { ingressPorts, ownPorts } from "../node/own-ports.ts";
import { startPodNetwork } from "../node/pod-network.ts";
import { plugArchives } from "../releases/archives.ts";
import { removeRunFile, writeRunFile } from "../run-file.ts";
import { addressesIn } from "./site-addresses.ts";
import { askedRanges } from "./site-ranges.ts";
import { familiesOf, settle } from "./site-settings.ts";
import type { SiteAddresses, SiteSettings } from "./site-settings.ts";
import { plugSwitches } from "./switches.ts";
import type { Switches } from "./switches.ts";

export interface Site {
  name: string;
  kubeconfig: string;
  state: string;
  /** What does not work and why, in plain words. */
  shortcomings: string[];
  /** Stops Kerb; containers go on. */
  stop(): Promise<void>;
}

interface StartOptions {
  switches: Switches;
  log: Log;
  progress: (what: string, detail: string) => void;
}

interface Parts {
  switches: Switches;
  audit?: AuditFiles;
  options: UpOptions;
  directory: string;
  settings: SiteSettings;
  addresses: SiteAddresses;
  plane: ControlPlane;
  informers: Informers;
  /** What wings answer for at the node. */
  nodeParts: NodeParts;
  /** Where plugins look for the node; absent without one. */
  kubeletDirectory?: string;
  /** Devices that wings bring to the node. */
  localPlugins: LocalPlugins;
  log: Log;
  scope: Scope;
}

const clock = systemClock;
const random = systemRandom;
const loopback = "127.0.0.1";
const nodes = resource("v1", "nodes");

/** The pod network with the site's DNS server; what it gives holds pods up until their policies stand. */
async function startNetwork(parts: Parts): Promise<PodGate> {
  const { settings, addresses, plane, informers, log, scope } = parts;
  const client = plane.client("system:kube-proxy");
  await ensureApiServerObjects(client, addresses, settings.port);
  await ensureClusterRanges(client, addresses);
  await ensureStorageClass(client);
  await ensureRuntimeClass(client);
  const dns = await startDns({ informers, addresses, clock, log, scope });
  const network = {
    client,
    informers,
    nodeName: settings.name,
    directory: parts.directory,
    ...(parts.options.krustlet && { beside: [krustletName(settings.name)] }),
    addresses,
    address: parts.options.listen?.[0] ?? addresses.gateway,
    dns,
    clock,
    log,
    scope,
  };
  const [gate] = await Promise.all([
    startPodNetwork(network),
    ensureDnsObjects(client, addresses, dns.port),
  ]);
  return gate;
}

function agentOptions(
  parts: Parts,
  machine: Machine,
  net: Promise<PodGate> | undefined,
): AgentOptions {
  const { directory, settings, addresses, plane, informers, log, scope } = parts;
  return {
    client: plane.client(`system:node:${settings.name}`),
    informers,
    runtime: machine.runtime,
    parts: parts.nodeParts,
    ...(parts.kubeletDirectory && { kubeletDirectory: parts.kubeletDirectory }),
    localPlugins: parts.localPlugins,
    nodeName: settings.name,
    directory,
    clock,
    random,
    log: log.with({ room: "node" }),
    scope,
    podCidrs: familiesOf(addresses).map(({ podCidr }) => podCidr),
    // Where other machines of its network reach it, when it was told to listen there.
    addresses: siteAddresses(addresses, parts.options.listen),
    clusterDomain,
    dnsServiceIps: familiesOf(addresses).map(({ dnsServiceIp }) => dnsServiceIp),
    version: kubernetesVersion,
    cgroupRoot: addresses.cgroup,
    settings: nodeSettingsOf(parts.options),
    alter: asKrustlet,
    ...(net && { gate: { admit: async (pod, ips) => (await net).admit(pod, ips) } }),
    ...(machine.shortcoming && { shortcoming: machine.shortcoming }),
  };
}

/** As what the second node speaks, where there is to be one. */
const krustletClient = ({ options, plane, settings }: Parts) =>
  options.krustlet ? plane.client(`system:node:${krustletName(settings.name)}`) : undefined;

/** Resolves once the node's Ready condition says True, or at once when it cannot. */
function untilReady({ informers, settings }: Parts, machine: Machine): Promise<void> {
  if (!machine.runtime) return Promise.resolve();
  return new Promise((resolve) => {
    const look = (node: any) => {
      const ready = node.status?.conditions?.some(
        (c: any) => c.type === "Ready" && c.status === "True",
      );
      const tainted = node.spec?.taints?.some((t: any) => t.key === "node.kubernetes.io/not-ready");
      if (node.metadata.name !== settings.name || !ready || tainted) return;
      queueMicrotask(() => stop());
      resolve();
    };
    const stop = informers.get({ resource: nodes }).subscribe({ onAdd: look, onUpdate: look });
  });
}

/** Of several servers one acts; alone, a site acts at once. */
async function startControlOf(parts: Parts, isNetworked: boolean) {
  const { settings, plane, addresses, scope, log } = parts;
  const lead = async (term: Scope) => {
    const own = { ownPorts: ownPorts(settings, parts.options) };
    const acting = { ...parts, ...own, clock, random, scope: term };
    await startControl({ ...acting, autonomy: parts.options.autonomyDuration });
    if (parts.options.devices) await (await import("../wings/devices.ts")).controlDevices(acting);
    if (isNetworked) await wakeSleepers(acting, addresses.gateway);
    if (parts.options.vms) await (await import("../wings/vms.ts")).controlVms(acting);
    if (parts.options.gitops) {
      await (await import("../gitops/start.ts")).controlGitOps(acting);
    }
    if (parts.options.hub) {
      const { controlHub, openReach } = await import("../wings/hub.ts");
      plugArchives(plane.server.plugs, parts.directory);
      await controlHub(acting, backupsOf(parts.directory));
      const port = keptPort(join(parts.directory, "reach-port"));
      await openReach(acting, { host: loopback, port });
    }
    const kerb = kerbHost({ ...parts, authority: plane.authority });
    followHub({ ...acting, ...ownSite(plane), kerb, isHub: parts.options.hub ?? false });
  };
  if (!settings.store) return lead(scope);
  startElection({
    client: plane.client("system:kube-controller-manager"),
    namespace: "kube-system",
    name: "kerb-control",
    identity: `${settings.name}_${random.uuid()}`,
    lead,
    clock,
    random,
    log: log.with({ room: "election" }),
    scope,
  });
}

const noMachine = {
  network: Promise.resolve(false),
  machine: Promise.resolve<Machine>({ network: false }),
};

export async function startSite(
  options: UpOptions,
  { log, switches, progress }: StartOptions,
): Promise<Site> {
  const directory = options.dataDir;
  const { settings } = settle(directory, {
    defaultPort,
    slots: isRoot ? slotsDirectory : undefined,
    ...(options.name !== undefined && { name: options.name }),
    ...(options.port !== undefined && { port: options.port }),
    ...(options.store !== undefined && { store: options.store }),
    ...(options.podNetwork !== undefined && { podNetwork: options.podNetwork }),
    ranges: askedRanges(options),
    ...(options.node !== false && { check: checkFamilies }),
  });
  if (settings.server) {
    throw new Error(`${directory} is a node of ${settings.server}; start it with: kerb join`);
  }
  const scope = new Scope();
  keepIdleMemorySmall(clock, scope);
  keepLogShort(directory, { clock, scope });
  try {
    const audit = auditFilesOf(options);
    const addresses = await addressesIn(options, settings, clock);
    return await assemble(
      { directory, options, switches, settings, addresses, log, scope, ...(audit && { audit }) },
      progress,
    );
  } catch (error) {
    await scope.close();
    throw error;
  }
}

async function startVms(
  parts: Parts,
  { runtime }: Machine,
  progress: StartOptions["progress"],
): Promise<void> {
  if (!runtime) return;
  const { runVms } = await import("../wings/vms.ts");
  const client = parts.plane.client("system:kubevirt-handler");
  const { nodeParts, settings } = parts;
  const told = await runVms({
    ...{ ...parts, runtime, client, node: settings.name, parts: nodeParts, clock, random },
  });
  progress("vms", told ?? "not on this node: qemu-system-x86 is not installed");
}

async function assemble(
  {
    directory,
    options,
    switches,
    settings,
    addresses,
    log,
    scope,
    audit,
  }: Omit<Parts, "plane" | "informers" | "nodeParts" | "localPlugins">,
  progress: StartOptions["progress"],
): Promise<Site> {
  const isNode = options.node !== false;
  const opening = isNode
    ? openMachine({
        directory,
        addresses,
        registries: registriesOf(options),
        clock,
        log,
        scope,
      })
    : noMachine;
  const { listen = [] } = options;
  let agents: Agents = new Map();
  const plane = await openControlPlane({
    directory,
    name: settings.name,
    port: settings.port,
    addresses,
    ownNode: (name) => agents.get(name),
    ...(audit && { audit }),
    ...(settings.store && { store: settings.store }),
    ...(options.authenticationConfig && {
      authentication: authenticationIn(options.authenticationConfig),
    }),
    listen,
    hub: options.hub ?? false,
    clock,
    random,
    log,
    scope,
  });
  plugSwitches(plane.server.plugs, switches, directory);
  progress("store", settings.store ?? join(directory, "store"));
  if (settings.store) progress("cluster", "further servers need this one's server-token");
  const informers = new Informers({ client: plane.client("system:apiserver"), clock, log, scope });
  tellUnsynced(plane, informers);
  const parts: Parts = {
    nodeParts: new Map(),
    localPlugins: new LocalPlugins(clock, scope),
    directory,
    options,
    switches,
    settings,
    addresses,
    plane,
    informers,
    log,
    scope,
  };
  if (options.vms) await (await import("../wings/vms.ts")).openVms({ ...parts, clock, random });
  const network = await opening.network;
  await plane.listen([...new Set([loopback, ...(network ? [addresses.gateway] : []), ...listen])]);
  writeRunFile(directory, settings.port, listen);
  scope.defer(() => removeRunFile(directory));
  progress("api server", `https://127.0.0.1:${settings.port}`);
  if (options.devices) (await import("../wings/devices.ts")).admitDevices(parts);
  const control = startControlOf(parts, network).then(() =>
    progress("controllers", "and the scheduler"),
  );
  const net = network
    ? startNetwork(parts).then((gate) => {
        progress(
          "network",
          familiesOf(addresses)
            .map(({ podCidr }) => podCidr)
            .join(", "),
        );
        return gate;
      })
    : undefined;
  // Whoever waits for it below is told; until then a failure is nobody's.
  net?.catch(() => {});
  const machine = await opening.machine;
  if (machine.runtime) progress("containerd", machine.runtime.version);
  if (isNode) {
    parts.kubeletDirectory = await kubeletDirectoryOf(directory, log);
    agents = await startNodes(agentOptions(parts, machine, net), krustletClient(parts));
  }
  await Promise.all([control, net, untilReady(parts, machine)]);
  if (isNode && options.ingress) {
    await (await import("../wings/ingress.ts")).openIngress({ ...parts, clock, random });
    progress("ingress", Object.values(ingressPorts(options)).join(", "));
  }
  if (isNode && options.vms) await startVms(parts, machine, progress);
  if (isNode && options.devices) {
    const { searchDevices } = await import("../wings/devices.ts");
    const client = plane.client("system:akri-agent");
    const { registry } = plane.server;
    const place = { ...parts, host: parts.localPlugins, node: settings.name };
    await searchDevices({ ...place, client, registry, clock, random });
    progress("devices", "akri.sh/v0");
  }
  return {
    name: settings.name,
    kubeconfig: plane.kubeconfig,
    state: machine.runtime ? "Ready" : `running, without ${isNode ? "containers" : "a node"}`,
    shortcomings: machine.shortcoming ? [machine.shortcoming] : [],
    stop: () => scope.close(),
  };
}
