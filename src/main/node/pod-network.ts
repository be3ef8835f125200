// What every node does for its pods' network: Services, policies and routes to the pods of other nodes.
import { join } from "node:path";
import type { Client, Reach } from "../../client/client.ts";
import { resource } from "../../client/client.ts";
import type { Informers } from "../../client/informers.ts";
import { settledReach } from "../../client/settled-reach.ts";
import type { KubeObject } from "../../kinds/object.ts";
import type { Clock } from "../../lib/clock.ts";
import { familyOf } from "../../lib/ip-range.ts";
import type { Log } from "../../lib/log.ts";
import type { Scope } from "../../lib/scope.ts";
import { limitBandwidth } from "../../node/network/bandwidth.ts";
import { settleCable } from "../../node/network/ipv6.ts";
import { directLink } from "../../node/network/direct-link.ts";
import type { NodeLink, RunIp } from "../../node/network/node-link.ts";
import { cniLeases } from "../../node/network/site-network.ts";
import { vxlanLink, vxlanName } from "../../node/network/vxlan.ts";
import { linkMtu } from "../../node/machine/outside-address.ts";
import { movedLabel } from "../../lib/moved-address.ts";
import { runCommand } from "../../lib/run-command.ts";
import { startMovedRoutes } from "../../node/network/moved-routes.ts";
import { OwnPods } from "../../node/network/own-pods.ts";
import { startNodeRoutes } from "../../node/network/node-routes.ts";
import { startPolicies } from "../../node/network/policy.ts";
import type { PodGate } from "../../node/network/policy.ts";
import {
  endpointSlicesResource,
  servicesResource,
  startServiceProxy,
} from "../../node/network/service-proxy.ts";
import { dnsSlices } from "../site/cluster-objects.ts";
import type { PodDns } from "../site/dns-source.ts";
import type { FamilyAddresses } from "../site/site-ranges.ts";
import { familiesOf } from "../site/site-settings.ts";
import type { SiteAddresses } from "../site/site-settings.ts";

const nodes = resource("v1", "nodes");
const ipAddresses = resource("networking.k8s.io/v1", "ipaddresses");

const ownDns = (addresses: SiteAddresses, port: number) =>
  dnsSlices(addresses, port) as unknown as KubeObject[];

export interface PodNetworkOptions {
  client: Client;
  informers: Informers;
  nodeName: string;
  /** Of the site or node. */
  directory: string;
  /** Further nodes on this machine. */
  beside?: string[];
  addresses: SiteAddresses;
  /** Where other nodes reach this one. */
  address: string;
  /** Of a machine that joined. */
  reach?: Reach;
  dns: PodDns;
  clock: Clock;
  log: Log;
  scope: Scope;
}

const batch = (lines: string[]) => runCommand("ip", ["-batch", "-"], `${lines.join("\n")}\n`);
const run: RunIp = (command, args) => runCommand(command, args);

async function nodeLink(
  { clusterCidr, podCidr, gateway }: FamilyAddresses,
  { bridge, podNetwork }: SiteAddresses,
  address: string,
): Promise<NodeLink> {
  const family = familyOf(podCidr);
  if (podNetwork !== "vxlan") return directLink(clusterCidr, run);
  const own = { name: vxlanName(bridge, family), clusterCidr, podCidr, gateway, address };
  return vxlanLink({ ...own, mtu: await linkMtu(address) }, run);
}

/** Before a pod's first container. */
async function openPod(pod: KubeObject, ips: string[], families: FamilyAddresses[]) {
  if (!ips[0] || pod.spec.hostNetwork) return;
  await limitBandwidth(pod, ips[0]);
  const ip = ips.find((one) => familyOf(one) === "IPv6");
  const own = families.find(({ gateway }) => familyOf(gateway) === "IPv6");
  if (ip && own) await settleCable(ip, own.gateway);
}

/** Resolves once all rules stand; what it gives holds pods up until theirs do. */
export async function startPodNetwork(options: PodNetworkOptions): Promise<PodGate> {
  const { client, informers, nodeName, addresses, dns, clock, log, scope } = options;
  const { nftTable: table } = addresses;
  const families = familiesOf(addresses);
  const pods = informers.get({ resource: resource("v1", "pods") });
  const all = informers.get({ resource: nodes });
  const links = await Promise.all(
    families.map((family) => nodeLink(family, addresses, options.address)),
  );
  const routing = { nodes: all, nodeName, clock, log: log.with({ room: "routes" }), scope };
  const own = new OwnPods();
  const nodeNames = [nodeName, ...(options.beside ?? [])];
  const common = { pods, nodeNames, table, clock, scope };
  const [gate] = await Promise.all([
    startPolicies({
      ...common,
      policies: informers.get({ resource: resource("networking.k8s.io/v1", "networkpolicies") }),
      namespaces: informers.get({ resource: resource("v1", "namespaces") }),
      dns,
      families: families.map(({ podCidr }) => familyOf(podCidr)),
      log: log.with({ room: "policy" }),
    }),
    startServiceProxy({
      ...common,
      client,
      services: informers.get({ resource: servicesResource }),
      slices: informers.get({ resource: endpointSlicesResource }),
      zone: () => all.get(nodeName)?.metadata.labels?.["topology.kubernetes.io/zone"],
      ranges: families,
      // What the endpoints were before a cut leads to pods that have gone meanwhile.
      ...(options.reach && { own, reach: settledReach(options.reach, { clock, scope }) }),
      // Names are answered on every machine, so that they are when it is cut off.
      local: new Map([["kube-system/kube-dns", ownDns(addresses, dns.port)]]),
      log: log.with({ room: "network" }),
    }),
    ...links.map((link) => startNodeRoutes({ ...routing, link })),
  ]);
  const moving = links.findIndex(({ family }) => family === "IPv4");
  if (moving >= 0) {
    startMovedRoutes({
      ...{ ...routing, ...families[moving]!, link: links[moving]!, run, batch },
      addresses: informers.get({ resource: ipAddresses, labelSelector: movedLabel }),
      leases: join(cniLeases(options.directory), addresses.bridge),
    });
  }
  return {
    ready: (uid, isReady) => own.tell(uid, isReady),
    admit: async (pod, ips) => {
      await gate.admit(pod, ips);
      await openPod(pod, ips, families);
    },
  };
}
