// This machine as the node of its own site: what its agent is told, its network, and when it is Ready.
import { resource } from "../../client/client.ts";
import { systemClock } from "../../lib/clock.ts";
import { systemRandom } from "../../lib/random.ts";
import type { AgentOptions } from "../../node/agent.ts";
import type { PodGate } from "../../node/network/policy.ts";
import { asKrustlet } from "../../wasm/krustlet.ts";
import {
  ensureApiServerObjects,
  ensureClusterRanges,
  ensureDnsObjects,
  ensureRuntimeClass,
  ensureStorageClass,
} from "./cluster-objects.ts";
import { clusterDomain, kubernetesVersion } from "../config.ts";
import { startDns } from "./dns-source.ts";
import { krustletName } from "../wings/krustlet.ts";
import { siteAddresses } from "../node/node-addresses.ts";
import { nodeSettingsOf } from "../node/node-settings.ts";
import type { Machine } from "../node/machine.ts";
import { startPodNetwork } from "../node/pod-network.ts";
import { familiesOf } from "./site-settings.ts";
import type { SiteParts } from "./site-parts.ts";

const clock = systemClock;
const random = systemRandom;
const nodes = resource("v1", "nodes");

/** The pod network with the site's DNS server; what it gives holds pods up until their policies stand. */
export async function startNetwork(parts: SiteParts): Promise<PodGate> {
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

export function agentOptions(
  parts: SiteParts,
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
export const krustletClient = ({ options, plane, settings }: SiteParts) =>
  options.krustlet ? plane.client(`system:node:${krustletName(settings.name)}`) : undefined;

/** Resolves once the node's Ready condition says True, or at once when it cannot. */
export function untilReady({ informers, settings }: SiteParts, machine: Machine): Promise<void> {
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
