// `kerb join`: this machine as a node of a site elsewhere. It has an agent, Services and policies like any
// node, and nothing of the control plane; what the server asks of it comes back through its tunnel.
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { join as joinPath, resolve } from "node:path";
import type { Duplex } from "node:stream";
import type { JoinOptions } from "../../cli/join.ts";
import { resource } from "../../client/client.ts";
import type { Client } from "../../client/client.ts";
import { eventRecorder } from "../../client/events.ts";
import { httpsClient } from "../../client/https.ts";
import type { Informer } from "../../client/informer.ts";
import { Informers } from "../../client/informers.ts";
import type { Absence } from "../../client/kept-events.ts";
import { offlineClient } from "../../client/offline.ts";
import type { MemoryFiles, OfflineClient } from "../../client/offline.ts";
import { waitFor } from "../../client/wait.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { backoffMs } from "../../lib/backoff.ts";
import { sleep, systemClock } from "../../lib/clock.ts";
import { humanDuration } from "../../lib/human-duration.ts";
import { addressIn } from "../../lib/ip-range.ts";
import type { Log } from "../../lib/log.ts";
import type { NodeParts } from "../../lib/node-connection.ts";
import { systemRandom } from "../../lib/random.ts";
import { Scope } from "../../lib/scope.ts";
import { isStatus } from "../../lib/status-error.ts";
import { keepTunnel } from "../../lib/tunnel/keep.ts";
import { LocalPlugins } from "../../node/devices/local-plugins.ts";
import { podsOf, startAgent } from "../../node/agent.ts";
import { referencedObjects } from "../../node/pods/referenced-objects.ts";
import { serveTunnel } from "../../node/tunnel.ts";
import { becomeRelease, proveNode, switchAsked } from "../releases/node.ts";
import { handOver } from "../releases/handover.ts";
import { clusterRangesName } from "../site/cluster-objects.ts";
import {
  clusterDomain,
  defaultPort,
  hasManager,
  isRoot,
  kerbVersion,
  kubernetesVersion,
  logLevel,
  slotsDirectory,
  tokenVariable,
} from "../config.ts";
import { givenToken, hideToken } from "../given-token.ts";
import { asKrustlet } from "../../wasm/krustlet.ts";
import { namesIn, readIfThere, removeFile, replaceFile } from "../files.ts";
import { keepLogShort } from "../log-file.ts";
import { forbidCoreDumps } from "../memory/core-dumps.ts";
import { keepIdleMemorySmall } from "../memory/idle-memory.ts";
import { startDns } from "../site/dns-source.ts";
import { kubeletDirectoryOf } from "./kubelet-directory.ts";
import { checkFamilies, openMachine } from "./machine.ts";
import { joinedAddresses, joinedAddressesFile } from "./node-addresses.ts";
import { nodeSettingsOf, registriesOf } from "./node-settings.ts";
import { followAuthority } from "./node-authority.ts";
import { leftAsFound } from "./leave-machine.ts";
import { keepIdentity } from "./node-identity.ts";
import { settleNode } from "./settle-node.ts";
import type { NodeIdentity } from "./node-identity.ts";
import { outputLog } from "../pino-log.ts";
import { startPodNetwork } from "./pod-network.ts";
import type { PodNetworkOptions } from "./pod-network.ts";
import { findRunning, removeRunFile, writeRunFile } from "../run-file.ts";
import { addressesOf, familiesOf } from "../site/site-settings.ts";
import type { SiteAddresses, SiteSettings } from "../site/site-settings.ts";

const clock = systemClock;
const random = systemRandom;
const nodes = resource("v1", "nodes");
const rangeMsMax = 60_000;
const stopMsMax = 10_000;
/** What was of a pod that is gone is forgotten this soon. */
const forgetMs = 30_000;
/** A link that is cut is noticed in half a minute: Services lead to this machine's own pods meanwhile. */
const pingMs = 10_000;
const retry = { firstMs: 500, maxMs: 10_000 };

/** The address of this machine that packets to the server leave from. */
async function ownAddress(server: URL): Promise<string> {
  const socket = createSocket(server.hostname.startsWith("[") ? "udp6" : "udp4");
  try {
    socket.connect(Number(server.port || 443), server.hostname.replace(/^\[|\]$/g, ""));
    await once(socket, "connect");
    return socket.address().address;
  } finally {
    socket.close();
  }
}

/** The node's object, and with it the ranges of its pods. */
async function register(client: Client, name: string): Promise<string[]> {
  await client
    .create(nodes, { apiVersion: "v1", kind: "Node", metadata: { name }, spec: {} })
    .catch((error: unknown) => {
      if (!isStatus(error, "AlreadyExists")) throw error;
    });
  const node = await waitFor(
    client,
    { ...nodes, name },
    (one) => one?.spec?.podCIDR !== undefined,
    {
      clock,
      timeoutMs: rangeMsMax,
    },
  );
  const { podCIDR, podCIDRs = [podCIDR] } = node!.spec!;
  return podCIDRs;
}

/** What this machine has of its own, with the ranges of the cluster. */
async function addressesFor(client: Client, { name, slot }: SiteSettings): Promise<SiteAddresses> {
  const target = { ...resource("v1", "configmaps"), namespace: "kube-system" };
  const ranges = await client.get({ ...target, name: clusterRangesName });
  const [first, other] = (await register(client, name)).map((podCidr) => ({
    podCidr,
    gateway: addressIn(podCidr, 1),
  }));
  const { second, ...own } = ranges["data"];
  return {
    ...addressesOf(slot),
    ...own,
    ...first,
    ...(second && other && { second: { ...JSON.parse(second), ...other } }),
  };
}

/** A server that is away is waited for. */
async function untilThere<T>(ask: () => Promise<T>, signal: AbortSignal, tell: Parts["tell"]) {
  for (let failures = 1; ; failures++) {
    try {
      return await ask();
    } catch (error) {
      if (!isStatus(error, "ServiceUnavailable", "Timeout", "NotFound")) throw error;
      if (failures === 1) tell("waiting", (error as Error).message);
      await sleep(clock, backoffMs(failures, retry), signal);
    }
  }
}

/** A blink is not worth telling. */
const absenceToldMs = 40_000;

function tellOfReturn(client: Client, name: string, absence: Absence, log: Log) {
  const { awayMs, events, dropped } = absence;
  if (awayMs < absenceToldMs && events === 0) return;
  const lost = dropped > 0 ? `, and ${dropped} older ones are lost` : "";
  const message = `The server was out of reach for ${humanDuration(awayMs)}; ${events} events of that time follow${lost}`;
  log.info(message);
  const node = { apiVersion: "v1", kind: "Node", metadata: { name, uid: name } };
  const options = { client, clock, random, log, component: "kubelet", host: name };
  eventRecorder(options)(node as KubeObject, "Normal", "ServerReachable", message);
}

/** Asked for once in a node's life, so that it starts without its server afterwards. */
async function addressesOnce(
  client: Client,
  { directory, settings, scope, tell }: Pick<Parts, "directory" | "settings" | "scope" | "tell">,
): Promise<SiteAddresses> {
  const file = joinedAddressesFile(directory);
  const known = readIfThere(file);
  if (known) return JSON.parse(known);
  const addresses = await untilThere(() => addressesFor(client, settings), scope.signal, tell);
  replaceFile(file, `${JSON.stringify(addresses, null, 2)}\n`);
  return addresses;
}

/** What the client remembers: for its owner's eyes, since Secrets of pods are in it. */
function memoryFiles(directory: string): MemoryFiles {
  const folder = joinPath(directory, "remembered");
  return {
    read: (name) => readIfThere(joinPath(folder, name)),
    write: (name, text) => replaceFile(joinPath(folder, name), text),
    names: () => namesIn(folder),
    remove: (name) => removeFile(joinPath(folder, name)),
  };
}

/** Secrets of pods that are gone. */
function forgetWhatIsGone(client: OfflineClient, pods: Informer, scope: Scope) {
  const forget = () => client.keepOnly(pods.list());
  void pods.synced().then(() => {
    forget();
    scope.defer(clock.every(forgetMs, forget));
  });
}

interface Parts {
  directory: string;
  settings: SiteSettings;
  options: JoinOptions;
  identity: NodeIdentity;
  log: Log;
  scope: Scope;
  tell: (what: string, detail: string) => void;
}

async function startNetwork(options: Omit<PodNetworkOptions, "dns">) {
  return startPodNetwork({ ...options, dns: await startDns(options) });
}

/** Resolves with why no containers run here, if they do not. */
async function startNode(parts: Parts): Promise<string | undefined> {
  const { directory, settings, options, identity: first, log, scope, tell } = parts;
  const { name, server } = settings as SiteSettings & { server: string };
  let identity = first;
  const connection = { server, ...identity };
  const link = httpsClient(connection, { agent: "kerb", pingMs });
  scope.defer(() => link.close());
  const client: OfflineClient = offlineClient(link, {
    files: memoryFiles(directory),
    clock,
    onReturn: (absence) => tellOfReturn(client, name, absence, log),
  });
  scope.defer(() => client.flush());
  const keep = { client, directory, name, clock, random, log, scope };
  const trust = await keepIdentity(identity, keep, (renewed) => {
    identity = renewed;
    Object.assign(connection, renewed);
    // What asks again does so as the new one.
    link.close();
  });
  const addresses = await addressesOnce(client, { directory, settings, scope, tell });
  checkFamilies(addresses);
  const families = familiesOf(addresses);
  const podCidrs = families.map(({ podCidr }) => podCidr);
  tell("node", `${name}, pods in ${podCidrs.join(", ")}`);
  const informers = new Informers({ client, clock, log, scope });
  followAuthority({ client, informers, name, identity: () => identity, trust, clock, log, scope });
  keepIdleMemorySmall(clock, scope);
  keepLogShort(directory, { clock, scope });
  const opening = openMachine({
    directory,
    addresses,
    registries: registriesOf(options),
    clock,
    log,
    scope,
  });
  const address = await ownAddress(new URL(server));
  const own = joinedAddresses(addresses, address);
  const isNetworked = await opening.network;
  const net = isNetworked
    ? startNetwork({
        ...{ client, informers, directory, clock, log, scope },
        nodeName: name,
        addresses,
        address,
        reach: client.reach,
      })
    : undefined;
  net?.catch(() => {});
  const machine = await opening.machine;
  const { runtime } = machine;
  if (runtime) tell("containerd", runtime.version);
  const kubeletDirectory = await kubeletDirectoryOf(directory, log);
  const nodeParts: NodeParts = new Map();
  const localPlugins = new LocalPlugins(clock, scope);
  const agent = await startAgent({
    client,
    parts: nodeParts,
    kubeletDirectory,
    localPlugins,
    informers,
    objects: await referencedObjects({ client, informers, clock, log, scope }),
    runtime,
    nodeName: name,
    directory,
    clock,
    random,
    log: log.with({ room: "node" }),
    scope,
    podCidrs,
    addresses: own,
    clusterDomain,
    dnsServiceIps: families.map(({ dnsServiceIp }) => dnsServiceIp),
    version: kubernetesVersion,
    cgroupRoot: addresses.cgroup,
    alter: asKrustlet,
    settings: {
      ...nodeSettingsOf(options),
      ...(options.autonomyDuration && { autonomyDuration: options.autonomyDuration }),
    },
    ...(net && {
      gate: {
        admit: async (pod, ips) => (await net).admit(pod, ips),
        ready: (uid, isReady) => void net.then((gate) => gate.ready?.(uid, isReady)),
      },
    }),
    ...(machine.shortcoming && { shortcoming: machine.shortcoming }),
  });
  await net;
  if (net) tell("network", podCidrs.join(", "));
  const room = log.with({ room: "tunnel" });
  const url = new URL(`/api/v1/nodes/${name}/tunnel`, server);
  const serve = (socket: Duplex) => serveTunnel(socket, agent);
  keepTunnel({ url, identity: () => identity, serve, clock, log: room, scope });
  if (machine.shortcoming) tell("!", machine.shortcoming);
  const shared = { client, informers, directory, clock, random, log, scope, node: name };
  if (options.vms && runtime) {
    const { runVms } = await import("../wings/vms.ts");
    const told = await runVms({ ...shared, options, runtime, localPlugins, parts: nodeParts });
    tell("vms", told ?? "not on this node: qemu-system-x86 is not installed");
  }
  if (options.devices) {
    const { searchDevices } = await import("../wings/devices.ts");
    await searchDevices({ ...shared, kubeletDirectory, host: localPlugins });
    tell("devices", "akri.sh/v0");
  }
  // At last: what is followed by then is not asked for by a pod, and is kept.
  forgetWhatIsGone(client, podsOf(informers, name), scope);
  return machine.shortcoming;
}

export async function joinSite(asked: string | undefined, options: JoinOptions): Promise<number> {
  const directory = resolve(options.dataDir);
  handOver(directory, process.argv.slice(2));
  void forbidCoreDumps();
  const asksToSwitch = switchAsked(directory);
  const running = findRunning(directory);
  if (running && running.pid !== process.pid)
    throw new Error(`a Kerb already runs on ${directory} (pid ${running.pid})`);
  console.log(`Kerb ${kerbVersion} (Kubernetes ${kubernetesVersion}), data in ${directory}`);
  const slots = isRoot ? slotsDirectory : undefined;
  hideToken(options);
  const token = givenToken(options, tokenVariable);
  const words = {
    ...options,
    ...(asked !== undefined && { server: asked }),
    ...(token !== undefined && { token }),
  };
  const where = { directory, defaultPort, slots, clock, random };
  const { settings, identity } = await settleNode(words, where);
  const { name, server } = settings;
  const tell = (what: string, detail: string) => console.log(`  ${what.padEnd(12)} ${detail}`);
  tell("identity", joinPath(directory, "pki/node.pem"));
  const scope = new Scope();
  try {
    const log = outputLog(logLevel);
    writeRunFile(directory, 0);
    scope.defer(() => removeRunFile(directory));
    const parts = { directory, settings, options, identity, log, scope, tell };
    const shortcoming = await leftAsFound(directory, async () => {
      try {
        return await startNode(parts);
      } catch (error) {
        await scope.close();
        throw error;
      }
    });
    console.log(`Node ${name} of ${server} is up.`);
    if (!shortcoming) proveNode(directory);
    const next = await Promise.race([untilStopped(), asksToSwitch]);
    if (!next) return 0;
    await Promise.race([scope.close(), sleep(clock, stopMsMax)]);
    becomeRelease(directory, next, hasManager);
  } finally {
    await scope.close();
  }
}

const untilStopped = () =>
  new Promise<undefined>((stop) => {
    for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"])
      process.once(signal, () => stop(undefined));
  });
