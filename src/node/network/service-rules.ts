// From Services and EndpointSlices to what the kernel must do, purely. The result is a list of virtual
// addresses, each with its endpoints, which `ruleset.ts` prints for nftables.
import type { KubeObject } from "../../kinds/object.ts";

/** One way in: an address (or any local address, for a NodePort), a protocol and a port. */
export interface Frontend {
  /** Absent: any address of this machine. */
  address?: string;
  protocol: "tcp" | "udp" | "sctp";
  port: number;
}

export interface Backend {
  address: string;
  port: number;
}

export interface ServicePort {
  /** `namespace/name:port`, for comments and for stable names. */
  id: string;
  frontends: Frontend[];
  backends: Backend[];
  /** Seconds a client stays with its endpoint; 0 is no affinity. */
  affinitySeconds: number;
}

interface Endpoint {
  addresses: string[];
  nodeName?: string;
  conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
  hints?: { forZones?: { name: string }[]; forNodes?: { name: string }[] };
}

/** Where the rules are for. */
export interface Here {
  nodes: readonly string[];
  zone?: string | undefined;
}

/**
 * Endpoints that are meant for clients here (KEP-2433, KEP-3015): those for this node, or else for this zone.
 * All, when one of them says nothing or none is for here.
 */
function near(endpoints: Endpoint[], { nodes, zone }: Here): Endpoint[] {
  const meant = (kind: "forNodes" | "forZones", names: readonly string[]) => {
    if (endpoints.some(({ hints }) => !hints?.[kind]?.length)) return [];
    return endpoints.filter(({ hints }) => hints![kind]!.some(({ name }) => names.includes(name)));
  };
  const forNode = meant("forNodes", nodes);
  const forZone = meant("forZones", zone === undefined ? [] : [zone]);
  return forNode.length > 0 ? forNode : forZone.length > 0 ? forZone : endpoints;
}

/** Ready endpoints; when there are none, those that still serve while they terminate (KEP-1669). */
function usable(endpoints: Endpoint[]): Endpoint[] {
  const ready = endpoints.filter((endpoint) => endpoint.conditions?.ready !== false);
  if (ready.length > 0) return ready;
  return endpoints.filter(
    ({ conditions }) => conditions?.terminating === true && conditions.serving !== false,
  );
}

function backendsOf(port: any, slices: KubeObject[], here: Here, isLocal: boolean): Backend[] {
  const found = new Map<string, Backend>();
  const candidates: { endpoint: Endpoint; port: number }[] = [];
  for (const slice of slices) {
    if (slice["addressType"] !== "IPv4") continue;
    const match = (slice["ports"] ?? []).find(
      (p: any) => (p.name ?? "") === (port.name ?? "") && (p.protocol ?? "TCP") === port.protocol,
    );
    if (!match?.port) continue;
    for (const endpoint of slice["endpoints"] ?? [])
      candidates.push({ endpoint, port: match.port });
  }
  const asked = isLocal
    ? candidates.filter(({ endpoint }) => here.nodes.includes(endpoint.nodeName ?? ""))
    : candidates;
  const able = usable(asked.map(({ endpoint }) => endpoint));
  const chosen = new Set(isLocal ? able : near(able, here));
  for (const candidate of asked) {
    if (!chosen.has(candidate.endpoint)) continue;
    for (const address of candidate.endpoint.addresses) {
      found.set(`${address}:${candidate.port}`, { address, port: candidate.port });
    }
  }
  return [...found.values()].sort((a, b) => (a.address + a.port < b.address + b.port ? -1 : 1));
}

const isAddress = (address: string | undefined): address is string =>
  address !== undefined && /^\d+\.\d+\.\d+\.\d+$/.test(address);

function portRules(
  service: KubeObject,
  port: any,
  slices: KubeObject[],
  here: Here,
): ServicePort[] {
  const { metadata, spec } = service;
  const protocol = (port.protocol ?? "TCP").toLowerCase() as Frontend["protocol"];
  const id = `${metadata.namespace}/${metadata.name}:${port.name ?? port.port}`;
  const affinitySeconds =
    spec.sessionAffinity === "ClientIP"
      ? (spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? 10800)
      : 0;
  const inside: Frontend[] = (spec.clusterIPs ?? [spec.clusterIP])
    .filter(isAddress)
    .map((address: string) => ({ address, protocol, port: port.port }));
  const outside: Frontend[] = [
    ...(spec.externalIPs ?? []),
    ...(service.status?.loadBalancer?.ingress ?? []).map((ingress: any) => ingress.ip),
  ]
    .filter(isAddress)
    .map((address: string) => ({ address, protocol, port: port.port }));
  if (port.nodePort) outside.push({ protocol, port: port.nodePort });
  const all = backendsOf(port, slices, here, false);
  const local = () => backendsOf(port, slices, here, true);
  return [
    {
      id,
      affinitySeconds,
      frontends: inside,
      backends: spec.internalTrafficPolicy === "Local" ? local() : all,
    },
    {
      id: `${id}:external`,
      affinitySeconds,
      frontends: outside,
      backends: spec.externalTrafficPolicy === "Local" ? local() : all,
    },
  ].filter((rule) => rule.frontends.length > 0);
}

/** What this node must do for `services`. Headless and ExternalName Services need nothing. */
export function serviceRules(
  services: KubeObject[],
  slicesOf: (service: KubeObject) => KubeObject[],
  here: Here,
): ServicePort[] {
  return services
    .filter((service) => service.spec.type !== "ExternalName" && service.spec.clusterIP !== "None")
    .flatMap((service) => {
      const slices = slicesOf(service);
      return (service.spec.ports ?? []).flatMap((port: any) =>
        portRules(service, port, slices, here),
      );
    })
    .sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** Ports of this node that lead to one pod of its own (`hostPort`), pods on the host's network apart. */
export function hostPortRules(pods: KubeObject[], nodeNames: readonly string[]): ServicePort[] {
  return pods
    .filter(
      ({ spec, status }) => nodeNames.includes(spec.nodeName) && !spec.hostNetwork && status?.podIP,
    )
    .flatMap(({ metadata, spec, status }) =>
      spec.containers.flatMap((container: any) =>
        (container.ports ?? [])
          .filter((port: any) => port.hostPort)
          .map((port: any): ServicePort => {
            const protocol = (port.protocol ?? "TCP").toLowerCase() as Frontend["protocol"];
            const at = port.hostIP && port.hostIP !== "0.0.0.0" ? { address: port.hostIP } : {};
            return {
              id: `${metadata.namespace}/${metadata.name}:host-${port.hostPort}`,
              frontends: [{ ...at, protocol, port: port.hostPort }],
              backends: [{ address: status.podIP, port: port.containerPort }],
              affinitySeconds: 0,
            };
          }),
      ),
    );
}
