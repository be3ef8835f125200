// Cluster DNS as a pure function from a question and the API's objects to an answer
// (github.com/kubernetes/dns, specification 1.1.0). `undefined` means that the name is not ours.
import type { KubeObject } from "../../kinds/object.ts";
import { canonicalAddress, familyOf, isAddress } from "../../lib/ip-range.ts";

export interface DnsRecord {
  name: string;
  type: "A" | "AAAA" | "SRV" | "PTR" | "CNAME";
  ttl: number;
  data: string | { target: string; port: number; priority: number; weight: number };
}

export interface DnsAnswer {
  code: "NOERROR" | "NXDOMAIN";
  answers: DnsRecord[];
  additionals: DnsRecord[];
}

/** What the zone looks things up in. */
export interface DnsSource {
  domain: string;
  namespaceExists(namespace: string): boolean;
  service(namespace: string, name: string): KubeObject | undefined;
  slices(namespace: string, service: string): KubeObject[];
  /** The Service or pod endpoint that has this address, for PTR. */
  byAddress(address: string): KubeObject | undefined;
  /** The namespace of the pod that has this address. */
  namespaceOf(address: string): string | undefined;
}

const ttlSeconds = 5;
const nothing = (code: DnsAnswer["code"]): DnsAnswer => ({ code, answers: [], additionals: [] });
const recordTypes = { IPv4: "A", IPv6: "AAAA" } as const;
const record = (name: string, data: string): DnsRecord => ({
  name,
  type: recordTypes[familyOf(data)],
  ttl: ttlSeconds,
  data,
});

interface EndpointAddress {
  address: string;
  hostname: string;
  ports: { name: string; protocol: string; port: number }[];
}

/** What an endpoint without a name is called. */
const dashed = (address: string) => address.replaceAll(/[.:]/g, "-");

/** Of both families, the Service's own first. */
const clusterIpsOf = ({ spec }: KubeObject): string[] => spec.clusterIPs ?? [spec.clusterIP];

function endpoints(source: DnsSource, service: KubeObject): EndpointAddress[] {
  const { namespace, name } = service.metadata;
  const all = service.spec.publishNotReadyAddresses === true;
  const found: EndpointAddress[] = [];
  for (const slice of source.slices(namespace!, name)) {
    if (slice["addressType"] !== "IPv4" && slice["addressType"] !== "IPv6") continue;
    for (const endpoint of slice["endpoints"] ?? []) {
      if (!all && endpoint.conditions?.ready === false) continue;
      for (const address of endpoint.addresses as string[]) {
        const hostname = endpoint.hostname ?? dashed(address);
        found.push({ address, hostname, ports: slice["ports"] ?? [] });
      }
    }
  }
  return found;
}

function addressAnswer(question: string, type: string, addresses: string[]): DnsAnswer {
  if (addresses.length === 0) return nothing("NXDOMAIN");
  const answers = [...new Set(addresses)]
    .map((address) => record(question, address))
    .filter((one) => type === "ANY" || type === one.type);
  return { code: "NOERROR", answers, additionals: [] };
}

function srvAnswer(question: string, base: string, targets: [string, string, number][]): DnsAnswer {
  if (targets.length === 0) return nothing("NXDOMAIN");
  // One name may have an address of each family.
  const places = new Map(targets.map(([host, , port]) => [`${host}:${port}`, { host, port }]));
  const answers = [...places.values()].map(({ host, port }): DnsRecord => ({
    name: question,
    type: "SRV",
    ttl: ttlSeconds,
    data: { target: host ? `${host}.${base}` : base, port, priority: 0, weight: 100 },
  }));
  const additionals = targets.map(([host, ip]) => record(host ? `${host}.${base}` : base, ip));
  return { code: "NOERROR", answers, additionals };
}

function portTargets(source: DnsSource, service: KubeObject, port: string, protocol: string) {
  const fits = (p: any) => (p.name ?? "") === port && (p.protocol ?? "TCP") === protocol;
  if (service.spec.clusterIP !== "None") {
    return (service.spec.ports ?? [])
      .filter(fits)
      .flatMap((p: any) =>
        clusterIpsOf(service).map((ip) => ["", ip, p.port] as [string, string, number]),
      );
  }
  return endpoints(source, service).flatMap(({ address, hostname, ports }) =>
    ports.filter(fits).map((p) => [hostname, address, p.port] as [string, string, number]),
  );
}

function serviceAnswer(source: DnsSource, question: string, type: string, labels: string[]) {
  const namespace = labels.at(-1)!;
  const service = source.service(namespace, labels.at(-2)!);
  if (!service) return nothing("NXDOMAIN");
  const rest = labels.slice(0, -2);
  const base = `${service.metadata.name}.${namespace}.svc.${source.domain}`;
  if (service.spec.type === "ExternalName") {
    if (rest.length > 0) return nothing("NXDOMAIN");
    const cname = { name: question, ttl: ttlSeconds, data: service.spec.externalName as string };
    return { ...nothing("NOERROR"), answers: [{ ...cname, type: "CNAME" as const }] };
  }
  if (rest.length === 2 && rest[0]!.startsWith("_") && rest[1]!.startsWith("_")) {
    const targets = portTargets(
      source,
      service,
      rest[0]!.slice(1),
      rest[1]!.slice(1).toUpperCase(),
    );
    return srvAnswer(question, base, targets);
  }
  const headless = service.spec.clusterIP === "None";
  if (rest.length === 0) {
    const addresses = headless
      ? endpoints(source, service).map(({ address }) => address)
      : clusterIpsOf(service);
    return addressAnswer(question, type, addresses);
  }
  if (rest.length > 1 || !headless) return nothing("NXDOMAIN");
  const named = endpoints(source, service).filter(({ hostname }) => hostname === rest[0]);
  return addressAnswer(
    question,
    type,
    named.map(({ address }) => address),
  );
}

/** `10-0-0-1` or `fd00--1`. */
function addressInName(name: string): string | undefined {
  const octets = /^(\d{1,3})-(\d{1,3})-(\d{1,3})-(\d{1,3})$/.exec(name)?.slice(1);
  if (octets) return octets.every((one) => Number(one) <= 255) ? octets.join(".") : undefined;
  const colons = name.replaceAll("-", ":");
  return colons.includes(":") && isAddress(colons) ? canonicalAddress(colons) : undefined;
}

/** `10-0-0-1.namespace.pod.DOMAIN`: the address is in the name. */
function podAnswer(source: DnsSource, question: string, type: string, labels: string[]) {
  const [name = "", namespace] = labels;
  const address = addressInName(name);
  if (labels.length !== 2 || !address || !source.namespaceExists(namespace!)) {
    return nothing("NXDOMAIN");
  }
  return addressAnswer(question, type, [address]);
}

const reverse = /^(.+)\.(in-addr|ip6)\.arpa$/;

/** The address that a name of PTR stands for. */
function reversedAddress(question: string): string | undefined {
  const [, name = "", zone] = reverse.exec(question) ?? [];
  const labels = name.split(".").toReversed();
  if (zone === "in-addr") return labels.join(".");
  if (labels.length !== 32 || !labels.every((label) => /^[\da-f]$/.test(label))) return undefined;
  return canonicalAddress(labels.join("").replaceAll(/(....)(?=.)/g, "$1:"));
}

function reverseAnswer(source: DnsSource, question: string): DnsAnswer | undefined {
  const address = reversedAddress(question);
  const owner = address && source.byAddress(address);
  if (!owner) return undefined;
  const { namespace } = owner.metadata;
  let target = `${owner.metadata.name}.${namespace}.svc.${source.domain}`;
  if (owner.kind !== "Service") {
    const service = owner.metadata.labels?.["kubernetes.io/service-name"];
    const endpoint = owner["endpoints"]?.find((e: any) => e.addresses.includes(address));
    const hostname = endpoint?.hostname ?? dashed(address);
    target = `${hostname}.${service}.${namespace}.svc.${source.domain}`;
  }
  const answer: DnsRecord = { name: question, type: "PTR", ttl: ttlSeconds, data: target };
  return { ...nothing("NOERROR"), answers: [answer] };
}

/** Answers `name` (any case, without the final dot) or says that it is not this zone's. */
export function answerQuestion(source: DnsSource, name: string, type: string) {
  const question = name.toLowerCase();
  if (reverse.test(question)) return reverseAnswer(source, question);
  if (question === source.domain) return nothing("NOERROR");
  if (!question.endsWith(`.${source.domain}`)) return undefined;
  const labels = question.slice(0, -source.domain.length - 1).split(".");
  const branch = labels.pop();
  if (branch === "svc" && labels.length === 0) return nothing("NOERROR");
  if (branch === "svc" && labels.length === 1) {
    return nothing(source.namespaceExists(labels[0]!) ? "NOERROR" : "NXDOMAIN");
  }
  if (branch === "svc") return serviceAnswer(source, question, type, labels);
  if (branch === "pod") return podAnswer(source, question, type, labels);
  return nothing("NXDOMAIN");
}
