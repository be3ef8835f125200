// From Services and EndpointSlices to what the kernel must do, purely. The result is a list of virtual
// addresses, each with its endpoints, which `ruleset.ts` prints for nftables.
import type { KubeObject } from "../../kinds/object.ts";
import { familyOf, isAddress } from "../../lib/ip-range.ts";
import type { IpFamily } from "../../lib/ip-range.ts";

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
  /** `namespace/name:port`, for stable names. */
  id: string;
  frontends: Frontend[];
  backends: Backend[];
  /** Where clients within the cluster go when `backends` are for those outside alone. */
  inside?: Backend[];
  /** Clients that stay with their endpoint this long, remembered under a name that ways in may share. */
  affinity?: { of: string; seconds: number };
  /** The only ranges from which the frontends may be used; absent: any. */
  sources?: string[];
  /** What a client meets when there is no backend for it. */
  otherwise: "reject" | "drop";
}

/** Kubernetes' default: three hours. */
const affinitySecondsDefault = 10_800;

interface Endpoint {
  addresses: string[];
  nodeName?: string;
  targetRef?: { uid?: string };
  conditions?: { ready?: boolean; serving?: boolean; terminating?: boolean };
  hints?: { forZones?: { name: string }[]; forNodes?: { name: string }[] };
}

/** Where the rules are for. */
export interface Here {
  family: IpFamily;
  nodes: readonly string[];
  zone?: string | undefined;
  /** The server is out of reach, and so may be everything that is not here. */
  isCutOff?: boolean;
  /** Of a pod of this node: it is not ready, whatever the server said last. */
  isDown?: (podUid: string | undefined) => boolean;
}

/**
 * Endpoints that are meant for clients here (KEP-2433, KEP-3015): those for this node, or else for this zone.
 * All, when one of them says nothing or none is for here. While the node is cut off, its own before all others.
 */
function near(
  endpoints: Endpoint[],
  { nodes, zone, isCutOff, isDown }: Omit<Here, "family">,
): Endpoint[] {
  const own = isCutOff ? endpoints.filter(({ nodeName }) => nodes.includes(nodeName ?? "")) : [];
  const up = own.filter(({ targetRef }) => !isDown?.(targetRef?.uid));
  if (own.length > 0) return up.length > 0 ? up : own;
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
    if (slice["addressType"] !== here.family) continue;
    const match = (slice["ports"] ?? []).find(
      (p: any) => (p.name ?? "") === (port.name ?? "") && (p.protocol ?? "TCP") === port.protocol,
    );
    if (!match?.port) continue;
    for (const endpoint of slice["endpoints"] ?? []) {
      candidates.push({ endpoint, port: match.port });
    }
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

/** How many ready endpoints of a Service these nodes have; each pod once, whatever families it is of. */
export function localEndpoints(slices: KubeObject[], nodes: readonly string[]): number {
  const type = slices[0]?.["addressType"];
  const endpoints: Endpoint[] = slices
    .filter((slice) => slice["addressType"] === type)
    .flatMap((slice) => slice["endpoints"] ?? []);
  const ready = endpoints.filter(({ nodeName, conditions }) => {
    return nodes.includes(nodeName ?? "") && conditions?.ready !== false;
  });
  return new Set(ready.flatMap(({ addresses }) => addresses)).size;
}

const isOf =
  (family: IpFamily) =>
  (address: string | undefined): address is string =>
    address !== undefined && isAddress(address) && familyOf(address) === family;

function affinityOf({ spec }: KubeObject, of: string): Pick<ServicePort, "affinity"> {
  if (spec.sessionAffinity !== "ClientIP") return {};
  const seconds = spec.sessionAffinityConfig?.clientIP?.timeoutSeconds ?? affinitySecondsDefault;
  return { affinity: { of, seconds } };
}

/** The ways in from outside: external addresses and node ports, and the addresses of load balancers. */
function outside(
  { spec, status }: KubeObject,
  port: any,
  { protocol, family }: { protocol: Frontend["protocol"]; family: IpFamily },
) {
  const isBalanced = ({ ip, ipMode }: { ip?: string; ipMode?: string }) =>
    isOf(family)(ip) && ipMode !== "Proxy";
  const at = (address: string): Frontend => ({ address, protocol, port: port.port });
  const external: Frontend[] = (spec.externalIPs ?? []).filter(isOf(family)).map(at);
  if (port.nodePort) external.push({ protocol, port: port.nodePort });
  const ingress: any[] = spec.type === "LoadBalancer" ? (status?.loadBalancer?.ingress ?? []) : [];
  return { external, balanced: ingress.filter(isBalanced).map(({ ip }) => at(ip)) };
}

function portRules(
  service: KubeObject,
  port: any,
  slices: KubeObject[],
  here: Here,
): ServicePort[] {
  const { metadata, spec } = service;
  const protocol = (port.protocol ?? "TCP").toLowerCase() as Frontend["protocol"];
  const id = `${metadata.namespace}/${metadata.name}:${port.name ?? port.port}`;
  const inside: Frontend[] = (spec.clusterIPs ?? [spec.clusterIP])
    .filter(isOf(here.family))
    .map((address: string) => ({ address, protocol, port: port.port }));
  if (inside.length === 0) return [];
  const { external, balanced } = outside(service, port, { protocol, family: here.family });
  const all = backendsOf(port, slices, here, false);
  const local = () => backendsOf(port, slices, here, true);
  // Without any endpoint a client is told; that another node has some is not for it to know.
  const policy = (isLocal: boolean) => ({
    backends: isLocal ? local() : all,
    otherwise: isLocal && all.length > 0 ? ("drop" as const) : ("reject" as const),
  });
  const isLocal = spec.externalTrafficPolicy === "Local";
  const shared = affinityOf(service, `${id}/${protocol}`);
  const away = { ...shared, ...policy(isLocal), ...(isLocal && { inside: all }) };
  const sources: string[] | undefined = spec.loadBalancerSourceRanges;
  const rules: ServicePort[] = [
    { id, frontends: inside, ...shared, ...policy(spec.internalTrafficPolicy === "Local") },
    { id: `${id}:external`, frontends: external, ...away },
    { id: `${id}:balanced`, frontends: balanced, ...away, ...(sources?.length && { sources }) },
  ];
  return rules.filter((rule) => rule.frontends.length > 0);
}

/** What this node must do for a Service. A headless or ExternalName Service needs nothing. */
export function serviceRules(service: KubeObject, slices: KubeObject[], here: Here): ServicePort[] {
  const { type, clusterIP, ports = [], publishNotReadyAddresses } = service.spec;
  if (type === "ExternalName" || clusterIP === "None") return [];
  const { isDown, ...rest } = here;
  const at = isDown && !publishNotReadyAddresses ? here : rest;
  return ports.flatMap((port: any) => portRules(service, port, slices, at));
}

/** What a `hostIP` says that means all addresses. */
const everywhere = { IPv4: ["", "0.0.0.0", "::"], IPv6: ["", "::"] };

/** What all addresses of a node leave out where they stand for ports; the kernel has no way from IPv6's. */
const loopback = { IPv4: ["127.0.0.1"], IPv6: [] };

const addressOf = ({ status }: KubeObject, family: IpFamily): string | undefined =>
  (status?.podIPs ?? [{ ip: status?.podIP }])
    .map(({ ip }: { ip: string }) => ip)
    .find(isOf(family));

function hostPortsOf(pod: KubeObject, family: IpFamily): ServicePort[] {
  const { metadata, spec } = pod;
  const containers = [...(spec.initContainers ?? []), ...spec.containers];
  const ports = containers.flatMap((container: any) => container.ports ?? []);
  return ports
    .filter(({ hostPort, hostIP = "" }: any) => {
      return hostPort && (everywhere[family].includes(hostIP) || isOf(family)(hostIP));
    })
    .map((port: any): ServicePort => {
      const { hostPort, hostIP = "", containerPort } = port;
      const protocol = (port.protocol ?? "TCP").toLowerCase() as Frontend["protocol"];
      const places = everywhere[family].includes(hostIP)
        ? [{}, ...loopback[family].map((address) => ({ address }))]
        : [{ address: hostIP }];
      return {
        id: `${metadata.namespace}/${metadata.name}:host-${hostIP}-${hostPort}`,
        frontends: places.map((place) => ({ ...place, protocol, port: hostPort })),
        backends: [{ address: addressOf(pod, family)!, port: containerPort }],
        otherwise: "reject",
      };
    });
}

const hasEnded = ({ status }: KubeObject) =>
  status?.phase === "Succeeded" || status?.phase === "Failed";

/** Ports of this node that lead to one pod of its own (`hostPort`), pods on the host's network apart. */
export function hostPortRules(
  pods: KubeObject[],
  { nodes, family }: Pick<Here, "nodes" | "family">,
): ServicePort[] {
  return pods
    .filter(({ spec }) => nodes.includes(spec.nodeName) && !spec.hostNetwork)
    .filter((pod) => addressOf(pod, family) !== undefined)
    .filter((pod) => !hasEnded(pod))
    .flatMap((pod) => hostPortsOf(pod, family));
}
