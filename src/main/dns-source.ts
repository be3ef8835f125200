// What cluster DNS looks things up in: informers of Services, EndpointSlices and Namespaces.
import { readFileSync } from "node:fs";
import type { Informer } from "../client/informer.ts";
import type { DnsSource } from "../node/network/dns-zone.ts";

export function dnsSource(
  domain: string,
  informers: { services: Informer; slices: Informer; namespaces: Informer },
): DnsSource {
  const { services, slices, namespaces } = informers;
  services.addIndex("address", (service) => service.spec.clusterIPs ?? []);
  slices.addIndex("address", (slice) =>
    (slice["endpoints"] ?? []).flatMap((endpoint: any) => endpoint.addresses ?? []),
  );
  return {
    domain,
    namespaceExists: (name) => namespaces.get(name) !== undefined,
    service: (namespace, name) => services.get(name, namespace),
    slices: (namespace, name) => slices.byIndex("service", `${namespace}/${name}`),
    byAddress: (address) =>
      services.byIndex("address", address)[0] ??
      slices
        .byIndex("address", address)
        .find((slice) => slice.metadata.labels?.["kubernetes.io/service-name"]),
  };
}

/** The machine's own name servers. Pure. */
export const nameServers = (resolvConf: string) =>
  [...resolvConf.matchAll(/^\s*nameserver\s+(\d+\.\d+\.\d+\.\d+)/gm)].map((match) => match[1]!);

export function machineNameServers(): string[] {
  try {
    return nameServers(readFileSync("/etc/resolv.conf", "utf8"));
  } catch {
    return [];
  }
}
