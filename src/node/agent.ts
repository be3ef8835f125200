// The node agent: registers its Node, follows the pods that are bound to it, gives each a worker, and answers
// logs, exec, attach and port-forward. It sees the world through a Client and a Runtime only. What runs
// already when it starts is adopted; what runs for pods that are no more is stopped.
import { startLocalVolumes } from "./volumes/local-volumes.ts";
import { mkdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { resource } from "../client/client.ts";
import type { Client } from "../client/client.ts";
import { eventRecorder } from "../client/events.ts";
import type { Informer } from "../client/informer.ts";
import type { Informers } from "../client/informers.ts";
import type { Clock } from "../lib/clock.ts";
import { familyOf } from "../lib/ip-range.ts";
import type { Log } from "../lib/log.ts";
import type { NodeConnection, NodeParts } from "../lib/node-connection.ts";
import { amountOf } from "../lib/pod-requests.ts";
import type { Random } from "../lib/random.ts";
import type { Scope } from "../lib/scope.ts";
import { noCgroups, systemCgroups } from "./machine/cgroups.ts";
import type { PressureWatch } from "./eviction/manager.ts";
import { pressureWatch, startHousekeeping } from "./housekeeping.ts";
import type { NodeSettings } from "./node-settings.ts";
import { nodeConnection, noConnection } from "./connection.ts";
import type { AgentContext } from "./context.ts";
import { CsiDrivers } from "./csi/drivers.ts";
import { startCsiKeeper } from "./csi/keeper.ts";
import { openDevices } from "./devices/devices.ts";
import { parseCpus } from "./cpus/cpu-set.ts";
import { anyCpus, openCpus } from "./cpus/cpus.ts";
import type { Cpus } from "./cpus/cpus.ts";
import type { Devices } from "./devices/devices.ts";
import type { LocalPlugins } from "./devices/local-plugins.ts";
import { localVolumesDirectory, directoriesIn } from "./directories.ts";
import { machineFacts, podsMax } from "./machine/machine.ts";
import { AgentMetrics } from "./metrics/agent-metrics.ts";
import { measuredRuntime } from "./metrics/measured-runtime.ts";
import { kubeletConfig } from "./pages/kubelet-config.ts";
import { openPages } from "./pages/pages.ts";
import type { PodGate } from "./network/policy.ts";
import { noMounts, systemMounts } from "./machine/mounts.ts";
import type { Mounts } from "./machine/mounts.ts";
import { startProblemWatch } from "./problems/problem-watch.ts";
import { GracefulShutdown } from "./shutdown/graceful-shutdown.ts";
import { openLogind } from "./shutdown/logind.ts";
import type { Shutdowns } from "./shutdown/logind.ts";
import { registerNode } from "./node-registration.ts";
import type { NodeIdentity, NodeRegistration } from "./node-registration.ts";
import { informerObjects } from "./objects.ts";
import type { Pod } from "./pods/pod.ts";
import type { Objects } from "./objects.ts";
import { Orphans } from "./pods/orphans.ts";
import { outsideAddresses } from "./machine/outside-address.ts";
import { startStaticPods } from "./static-pods/static-pods.ts";
import { UserNamespaces } from "./machine/user-namespaces.ts";
import { Workers } from "./pods/workers.ts";
import { followMovedAddresses } from "./pods/moved-addresses.ts";
import type { Runtime, RuntimePod } from "./runtime.ts";
import { parseResolvConf } from "./pods/sandbox-config.ts";

export interface AgentOptions {
  client: Client;
  informers: Informers;
  /** Absent: the node is there, and not Ready. */
  runtime?: Runtime | undefined;
  nodeName: string;
  /** Of the site; the agent's own folders lie in it. */
  directory: string;
  clock: Clock;
  random: Random;
  log: Log;
  scope: Scope;
  /** One of each family that pods have addresses of, the site's own first. */
  podCidrs: string[];
  /** The node's InternalIPs, the site's own family first. */
  addresses: string[];
  clusterDomain: string;
  dnsServiceIps: string[];
  /** Of Kubernetes, `v1.36.0`. */
  version: string;
  cgroupRoot: string;
  /** Absent where no policies are kept. */
  gate?: PodGate | undefined;
  /** What pods name; by default all there is, as on the server's own machine. */
  objects?: Objects | undefined;
  /** Why there is no runtime, in plain words. */
  shortcoming?: string;
  /** Where device plugins look for the kubelet, `/var/lib/kubelet`; absent: there are none. */
  kubeletDirectory?: string;
  /** Devices that other parts of this process bring. */
  localPlugins?: LocalPlugins;
  settings?: NodeSettings;
  /** Default: systemd's, where it runs. */
  shutdowns?: Shutdowns;
  /** Of a node that is not simply this machine. */
  identity?: NodeIdentity;
  /** The pod as it is to be run. */
  alter?: (pod: Pod) => Pod;
  /** What wings answer for at this node. */
  parts?: NodeParts;
  /** Default: the machine's own, and its cgroups, when there is a runtime and root. */
  mounts?: Mounts;
}

export type Agent = NodeConnection;

const openGate: PodGate = { admit: async () => {} };

/** Every worker looks again this often, should a hint have been lost. */
const relistMs = 10_000;

interface Parts {
  runtime: Runtime;
  devices: Devices | undefined;
  csi: CsiDrivers | undefined;
  watch: PressureWatch;
  going: Going;
}

/** Whether the machine is about to go down. */
interface Going {
  isComing: () => boolean;
  onChange: () => void;
}

async function contextOf(
  options: AgentOptions,
  parts: Pick<Parts, "runtime" | "devices" | "csi"> & {
    cpus: Cpus;
    movedAddress: AgentContext["movedAddress"];
  },
): Promise<AgentContext> {
  const { client, informers, clock, log, scope, nodeName, addresses, directory } = options;
  const directories = directoriesIn(directory);
  const isRoot = process.getuid?.() === 0;
  const mounts = options.mounts ?? (isRoot ? systemMounts : noMounts);
  await mkdir(directories.logs, { recursive: true });
  const [objects, facts, resolvConf] = await Promise.all([
    options.objects ?? informerObjects(informers),
    factsOf(options),
    readFile("/etc/resolv.conf", "utf8").catch(() => ""),
    mounts.tmpfs(directories.memory, 0),
    mounts.share(join(directory, "pods")),
    parts.csi && mounts.share(parts.csi.kubeletDirectory),
  ]);
  const { clusterDomain, dnsServiceIps, cgroupRoot } = options;
  const event = eventsOf(options);
  const metrics = new AgentMetrics();
  const userNamespaces = new UserNamespaces(join(directory, "pods"));
  await userNamespaces.load();
  const elsewhere = (uid: string) => parts.runtime.cgroupOf?.(uid);
  const milliCpu = amountOf("cpu", facts.allocatable["cpu"]!);
  return {
    ...parts,
    runtime: measuredRuntime(parts.runtime, { metrics, clock }),
    metrics,
    userNamespaces,
    client,
    gate: options.gate ?? openGate,
    parts: options.parts ?? new Map(),
    objects,
    clock,
    log,
    event,
    directories,
    mounts,
    cgroups:
      mounts === systemMounts
        ? await systemCgroups(cgroupRoot, { elsewhere, milliCpu })
        : noCgroups,
    facts: { nodeName, hostIps: addresses, allocatable: facts.allocatable },
    dns: { clusterDomain, dnsServiceIps, host: parseResolvConf(resolvConf) },
    cpus: parts.cpus,
    abilities: {
      allowedUnsafeSysctls: options.settings?.allowedUnsafeSysctls ?? [],
      appArmor: facts.appArmor,
      strictGroups: parts.runtime.abilities?.strictGroups ?? false,
    },
    memoryBytes: facts.memoryBytes,
    signal: scope.signal,
  };
}

const eventsOf = ({ client, clock, random, log, nodeName }: AgentOptions) =>
  eventRecorder({ client, clock, random, log, component: "kubelet", host: nodeName });

const factsOf = ({ directory, runtime, version, settings }: AgentOptions) =>
  machineFacts({
    directory,
    version,
    runtimeVersion: runtime?.version ?? "",
    reservedCpus: parseCpus(settings?.reservedCpus ?? "").length,
  });

interface Followed {
  informer: Informer;
  nodes: Informer;
  watch: PressureWatch;
  alter: AgentOptions["alter"];
  running: ReadonlyMap<string, RuntimePod>;
}

function follow(context: AgentContext, followed: Followed, scope: Scope): Workers {
  const { runtime, objects, clock } = context;
  const { informer, nodes, watch } = followed;
  const workers = new Workers(context, {
    node: () => nodes.get(context.facts.nodeName),
    watch,
    alter: followed.alter ?? ((pod) => pod),
    running: followed.running,
  });
  scope.defer(() => workers.stop());
  scope.defer(
    informer.subscribe({
      onAdd: (pod) => workers.seen(pod),
      onUpdate: (pod, previous) => {
        if (pod.metadata.uid !== previous.metadata.uid) workers.deleted(previous);
        workers.seen(pod);
      },
      onDelete: (pod) => workers.deleted(pod),
    }),
  );
  scope.defer(runtime.onChange((uid) => workers.byUid.get(uid)?.wake()));
  scope.defer(
    objects.onChange((kind, namespace, name) => {
      for (const worker of workers.byUid.values()) {
        if (worker.pod.metadata.namespace === namespace) worker.objectChanged(kind, name);
      }
    }),
  );
  scope.defer(clock.every(relistMs, () => workers.wakeAll()));
  return workers;
}

/** All that are bound to a node. */
export const podsOf = (informers: Informers, nodeName: string) =>
  informers.get({ resource: resource("v1", "pods"), fieldSelector: `spec.nodeName=${nodeName}` });

const ownNode = ({ informers, nodeName }: AgentOptions) =>
  informers.get({
    resource: resource("v1", "nodes"),
    fieldSelector: `metadata.name=${nodeName}`,
  });

async function startPods(options: AgentOptions, parts: Parts): Promise<Agent> {
  const { runtime, devices, csi, watch } = parts;
  const { informers, nodeName, scope, log } = options;
  const informer = podsOf(informers, nodeName);
  const nodes = ownNode(options);
  let onCpus = () => {};
  const cpus = await openOwnCpus(options, () => onCpus());
  const moved = await followMovedAddresses(options);
  const [context, running] = await Promise.all([
    contextOf(options, { runtime, devices, csi, cpus, movedAddress: moved.of }),
    runtime.pods(),
    informer.synced(),
    nodes.synced(),
  ]);
  const followed = { informer, nodes, watch, alter: options.alter, running };
  const workers = follow(context, followed, scope);
  moved.onChange((uid) => workers.byUid.get(uid)?.wake());
  const orphans = new Orphans(context, running, (uid) => workers.byUid.has(uid));
  onCpus = () => void workers.spreadCpus();
  const leaving = orphans.holders().map(({ pod }) => pod.metadata.uid);
  await cpus.keep(new Set([...workers.byUid.keys(), ...leaving]));
  await devices?.follow({
    holders: () => [...workers.holders(), ...orphans.holders()],
    onDriver: () => {
      for (const worker of workers.byUid.values()) worker.retry(/^FailedPrepareDynamicResources$/);
    },
    onHealth: () => {
      for (const worker of workers.byUid.values()) if (worker.hasDevices) worker.wake();
    },
    cpus,
  });
  const { podManifestPath = join(options.directory, "manifests") } = options.settings ?? {};
  await startStaticPods({ context, directory: podManifestPath, workers, informer, nodes, scope });
  void orphans
    .stop(running)
    .catch((error) =>
      log.warn("what was left of other pods was not removed", { error: String(error) }),
    );
  const directory = localVolumesDirectory(options.directory);
  startLocalVolumes({
    ...options,
    directory,
    mounts: context.mounts,
    // A node elsewhere may not read all volumes.
    informers: options.objects ? undefined : informers,
  });
  startHousekeeping({
    context,
    watch,
    workers: workers.all,
    evict: (worker, why) => workers.evict(worker, why),
    settings: options.settings ?? {},
    scope,
  });
  if (csi) startCsiKeeper({ context, workers: workers.all, scope });
  await followShutdowns(options, workers, parts.going);
  const { clusterDomain, dnsServiceIps, settings = {} } = options;
  const config = kubeletConfig(settings, {
    clusterDomain,
    dnsServiceIps,
    podManifestPath,
    maxPods: podsMax,
  });
  const pages = openPages({ context, workers: workers.all, config, scope });
  const found = { find: (uid: string) => workers.find(uid), all: workers.all, pages };
  return nodeConnection(context, found, context.parts);
}

async function followShutdowns(options: AgentOptions, workers: Workers, going: Going) {
  const { settings = {}, clock, log, scope } = options;
  const { shutdownGracePeriodMs: gracePeriodMs = 0, shutdownCriticalMs = 0 } = settings;
  if (gracePeriodMs === 0) return;
  const shutdowns = options.shutdowns ?? (await openLogind(gracePeriodMs, { log, scope }));
  if (!shutdowns) return log.warn("there is no systemd here: the machine waits for no pods");
  const shutdown = new GracefulShutdown({
    shutdowns,
    times: { gracePeriodMs, criticalMs: shutdownCriticalMs },
    workers: workers.all,
    end: (worker, why) => workers.evict(worker, why),
    onChange: going.onChange,
    clock,
    log,
  });
  going.isComing = () => shutdown.isComing;
  workers.isShuttingDown = going.isComing;
}

function openOwnCpus(
  { settings = {}, directory, log }: AgentOptions,
  onChange: () => void,
): Cpus | Promise<Cpus> {
  const { cpuManagerPolicy, reservedCpus = "" } = settings;
  if (cpuManagerPolicy !== "static") return anyCpus;
  return openCpus({ directory, reserved: reservedCpus, log, onChange });
}

function openOwnDevices(
  { kubeletDirectory, ...options }: AgentOptions,
  csi: CsiDrivers | undefined,
  node: () => NodeRegistration | undefined,
): Promise<Devices> | undefined {
  if (!kubeletDirectory) return undefined;
  const onChange = () => {
    const refreshed = node()?.refresh();
    refreshed?.catch((error) =>
      options.log.warn("devices are not told of", { error: String(error) }),
    );
  };
  return openDevices({ ...options, kubeletDirectory, csi: csi?.handler, onChange });
}

/** Resolves once the node is registered and its pods are followed. Stops with the scope; containers go on. */
export async function startAgent(options: AgentOptions): Promise<Agent> {
  const { runtime, directory, shortcoming } = options;
  await mkdir(directory, { recursive: true });
  const why = shortcoming ?? (runtime ? "" : "no container runtime is there");
  const facts = await factsOf(options);
  let node: NodeRegistration | undefined;
  const { kubeletDirectory } = options;
  const csi =
    runtime && kubeletDirectory ? new CsiDrivers({ ...options, kubeletDirectory }) : undefined;
  await csi?.inUse.load(join(directory, "pods"));
  if (csi) csi.inUse.onChange = async () => node?.refresh();
  const devices = runtime && (await openOwnDevices(options, csi, () => node));
  const watch = pressureWatch(directory, options.clock, options.settings ?? {});
  const shown = ownNode(options);
  const going: Going = { isComing: () => false, onChange: () => void node?.refresh() };
  const [agent] = await Promise.all([
    runtime
      ? startPods(options, { runtime, devices, csi, watch, going })
      : noConnection(options.nodeName, why),
    registerNode({
      ...options,
      facts,
      pressure: async () => {
        await watch.look();
        return watch.pressure();
      },
      shown: () => shown.get(options.nodeName),
      problems: startProblemWatch({ ...options, event: eventsOf(options) }),
      outside: () => outsideAddresses(options.podCidrs.map(familyOf)),
      shortcoming: () => (going.isComing() ? "node is shutting down" : runtime ? "" : why),
      ...(devices && { devices: () => devices.amounts() }),
      ...(csi && { volumesInUse: () => csi.inUse.names() }),
      ...(runtime?.abilities && { abilities: runtime.abilities }),
    }).then((registered) => (node = registered)),
  ]);
  return agent;
}
