// What cluster DNS looks things up in: informers of Services, EndpointSlices, Namespaces and pods.
import { readFileSync } from "node:fs";
import { isIPv4, isIPv6 } from "node:net";
import { resource } from "../../client/client.ts";
import type { Informer } from "../../client/informer.ts";
import type { Informers } from "../../client/informers.ts";
import type { KubeObject } from "../../kinds/object.ts";
import { canonicalAddress, isAddress } from "../../lib/ip-range.ts";
import { startDnsServer } from "../../node/network/dns-server.ts";
import type { DnsServerOptions } from "../../node/network/dns-server.ts";
import type { Upstreams } from "../../node/network/dns-upstream.ts";
import { endpointSlicesResource, servicesResource } from "../../node/network/service-proxy.ts";
import { clusterDomain } from "../config.ts";
import { familiesOf } from "./site-settings.ts";
import type { SiteAddresses } from "./site-settings.ts";
import type { DnsSource } from "../../node/network/dns-zone.ts";

function dnsSource(
  domain: string,
  informers: { services: Informer; slices: Informer; namespaces: Informer; pods: Informer },
): DnsSource {
  const { services, slices, namespaces, pods } = informers;
  pods.addIndex("address", ({ spec, status }) =>
    spec.hostNetwork || !status?.podIP
      ? []
      : (status.podIPs ?? [{ ip: status.podIP }]).map(({ ip }: { ip: string }) => ip),
  );
  services.addIndex("address", ({ spec }) =>
    (spec.clusterIPs ?? []).filter(isAddress).map(canonicalAddress),
  );
  slices.addIndex("address", (slice) =>
    (slice["endpoints"] ?? []).flatMap((endpoint: any) => endpoint.addresses ?? []),
  );
  return {
    domain,
    namespaceExists: (name) => namespaces.get(name) !== undefined,
    service: (namespace, name) => services.get(name, namespace),
    slices: (namespace, name) => slices.byIndex("service", `${namespace}/${name}`),
    namespaceOf: (address) => pods.byIndex("address", address)[0]?.metadata.namespace,
    byAddress: (address) =>
      services.byIndex("address", address)[0] ??
      slices
        .byIndex("address", address)
        .find((slice) => slice.metadata.labels?.["kubernetes.io/service-name"]),
  };
}

/** The machine's own name servers: those of IPv6 where there is no other. Pure. */
export function nameServers(resolvConf: string): string[] {
  const all = [...resolvConf.matchAll(/^\s*nameserver\s+(\S+)/gm)].map((match) => match[1]!);
  const old = all.filter((server) => isIPv4(server));
  return old.length > 0 ? old : all.filter((server) => isIPv6(server));
}

function machineNameServers(): string[] {
  try {
    return nameServers(readFileSync("/etc/resolv.conf", "utf8"));
  } catch {
    return [];
  }
}

const isServer = (text: unknown): text is string =>
  typeof text === "string" &&
  (/^\d+\.\d+\.\d+\.\d+(:\d+)?$/.test(text) || isIPv6(/^\[(.+)\](:\d+)?$/.exec(text)?.[1] ?? text));

/** JSON of a ConfigMap's value; what is not understood is as if it were not there. */
function parsed(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? "");
  } catch {
    return undefined;
  }
}

/**
 * The ConfigMap `kube-dns` of kube-system, as kube-dns took it: `stubDomains`, JSON of servers by domain, and
 * `upstreamNameservers`, JSON of servers in the place of the machine's. Pure.
 */
export function upstreamsOf(config: KubeObject | undefined, ofMachine: string[]): Upstreams {
  const data: Record<string, string> = config?.["data"] ?? {};
  const given = parsed(data["upstreamNameservers"]);
  const own = Array.isArray(given) ? given.filter(isServer) : [];
  const stubs = Object.entries(parsed(data["stubDomains"]) ?? {}).map(
    ([domain, servers]): [string, string[]] => [
      domain.toLowerCase().replace(/\.$/, ""),
      Array.isArray(servers) ? servers.filter(isServer) : [],
    ],
  );
  return { servers: own.length > 0 ? own : ofMachine, stubs: new Map(stubs) };
}

/** Where a DNS server of this machine answers behind its Service. */
export interface PodDns {
  addresses: string[];
  port: number;
}

/** Starts the DNS server of this machine's pods, which answers from what this node knows. */
export async function startDns(
  options: Pick<DnsServerOptions, "clock" | "log" | "scope"> & {
    informers: Informers;
    addresses: SiteAddresses;
  },
): Promise<PodDns> {
  const { informers } = options;
  const addresses = familiesOf(options.addresses).map(({ gateway }) => gateway);
  const pods = informers.get({ resource: resource("v1", "pods") });
  const source = dnsSource(clusterDomain, {
    services: informers.get({ resource: servicesResource }),
    slices: informers.get({ resource: endpointSlicesResource }),
    namespaces: informers.get({ resource: resource("v1", "namespaces") }),
    pods,
  });
  const config = informers.get({
    resource: resource("v1", "configmaps"),
    namespace: "kube-system",
    fieldSelector: "metadata.name=kube-dns",
  });
  const ofMachine = machineNameServers();
  const upstreams = () => upstreamsOf(config.get("kube-dns", "kube-system"), ofMachine);
  const log = options.log.with({ room: "dns" });
  const server = { ...options, log, addresses, port: 0, source, upstreams };
  return { addresses, port: await startDnsServer(server) };
}
