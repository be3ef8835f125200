// From NetworkPolicies to what the kernel must allow, purely. A pod that a policy selects is isolated in the
// policy's directions: whatever no policy allows it is dropped. The result has one table's chains, sets and
// maps; `policy-rules.ts` prints the difference between two of them.
//
// https://kubernetes.io/docs/concepts/services-networking/network-policies/
import { createHash } from "node:crypto";
import type { KubeObject } from "../../kinds/object.ts";
import { compileSelector } from "../../lib/label-selector.ts";
import type { LabelSelector } from "../../lib/label-selector.ts";
import { covers, familyOf } from "../../lib/ip-range.ts";
import type { IpFamily } from "../../lib/ip-range.ts";
import { nftFamilies } from "./nft-family.ts";

/** A pod as policies see it. */
export interface PolicyPod {
  namespace: string;
  labels: Record<string, string>;
  ip: string;
  /** Named ports: `PROTOCOL/name` to number, protocol in lower case. */
  ports: Map<string, number>;
  /** It runs on this node, so its rules are kept here. */
  isLocal: boolean;
}

export interface PolicyInput {
  /** Of the pods' addresses. */
  family: IpFamily;
  policies: KubeObject[];
  pods: PolicyPod[];
  /** Labels by namespace. */
  namespaces: Map<string, Record<string, string>>;
  /** The site's DNS server, which answers at a port of its own for the Service's 53. */
  dns?: { address: string; port: number } | undefined;
}

export interface NamedSet {
  /** nftables' type, `ipv4_addr`, `ipv6_addr` or a concatenation. */
  type: string;
  elements: Set<string>;
}

export interface PolicyTable {
  family: IpFamily;
  chains: Map<string, string[]>;
  sets: Map<string, NamedSet>;
  /** Address to chain, of isolated pods on this node. */
  ingress: Map<string, string>;
  egress: Map<string, string>;
}

const dnsPort = 53;

type Direction = "ingress" | "egress";

const hash = (text: string) =>
  createHash("sha256").update(text).digest("base64url").slice(0, 16).replaceAll("-", ".");

const protocolOf = ({ protocol = "TCP" }: any): string => protocol.toLowerCase();

export const emptyTable = (family: IpFamily): PolicyTable => ({
  family,
  chains: new Map(),
  sets: new Map(),
  ingress: new Map(),
  egress: new Map(),
});

const selects = (selector: LabelSelector | undefined, labels: Record<string, string>) =>
  compileSelector(selector ?? {})(labels);

function isolates({ spec }: KubeObject, direction: Direction): boolean {
  const types: string[] = spec.policyTypes ?? (spec.egress ? ["Ingress", "Egress"] : ["Ingress"]);
  return types.includes(direction === "ingress" ? "Ingress" : "Egress");
}

class Planner {
  readonly #input: PolicyInput;
  readonly #table: PolicyTable;

  constructor(input: PolicyInput) {
    this.#input = input;
    this.#table = emptyTable(input.family);
  }

  run(): PolicyTable {
    for (const direction of ["ingress", "egress"] as const) this.#plan(direction);
    return this.#table;
  }

  /** Pods that the same policies select share a chain. */
  #plan(direction: Direction) {
    const { policies, pods } = this.#input;
    const active = policies
      .filter((policy) => isolates(policy, direction))
      .map((policy) => ({ policy, name: this.#nameOf(policy, direction) }))
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    const written = new Set<string>();
    for (const pod of pods) {
      if (!pod.isLocal) continue;
      const own = active.filter(({ policy }) => this.#isOver(policy, pod));
      if (own.length === 0) continue;
      const chain = `${direction}-${hash(own.map(({ name }) => name).join())}`;
      this.#table[direction].set(pod.ip, chain);
      if (this.#table.chains.has(chain)) continue;
      this.#table.chains.set(chain, [...own.map(({ name }) => `jump ${name}`), "drop"]);
      for (const { policy, name } of own) {
        if (written.has(name)) continue;
        written.add(name);
        this.#table.chains.set(name, this.#rulesOf(policy, direction, name));
      }
    }
  }

  #nameOf({ metadata }: KubeObject, direction: Direction) {
    return `policy-${direction === "ingress" ? "in" : "out"}-${hash(`${metadata.namespace}/${metadata.name}`)}`;
  }

  #isOver({ metadata, spec }: KubeObject, pod: PolicyPod) {
    return pod.namespace === metadata.namespace && selects(spec.podSelector, pod.labels);
  }

  #rulesOf(policy: KubeObject, direction: Direction, name: string): string[] {
    const rules: any[] = policy.spec[direction] ?? [];
    return rules.flatMap((rule, i) => {
      const peers: any[] = (direction === "ingress" ? rule.from : rule.to) ?? [];
      const at = `${name}-${i}`;
      const sources = peers.length > 0 ? this.#peerMatches(policy, peers, direction, at) : [""];
      const targets = this.#portsOf(policy, rule, direction, at);
      return sources.flatMap((source) =>
        targets.map((target) => `${source} ${target} accept`.trim().replace(/ +/g, " ")),
      );
    });
  }

  /** One match for all pods that peers select, and one for each block of addresses. */
  #peerMatches(policy: KubeObject, peers: any[], direction: Direction, at: string): string[] {
    const { family } = this.#input;
    const { ip: words, address } = nftFamilies[family];
    const field = `${words} ${direction === "ingress" ? "saddr" : "daddr"}`;
    const bySelector = peers.filter(({ ipBlock }) => !ipBlock);
    const matches = peers.flatMap(({ ipBlock }) =>
      ipBlock && familyOf(ipBlock.cidr) === family ? [blockMatch(field, ipBlock)] : [],
    );
    if (bySelector.length === 0) return matches;
    const elements = new Set(this.#peers(policy, bySelector).map(({ ip }) => ip));
    this.#table.sets.set(at, { type: address, elements });
    return [`${field} @${at}`, ...matches];
  }

  #peers({ metadata }: KubeObject, peers: any[]): PolicyPod[] {
    const { pods, namespaces } = this.#input;
    return pods.filter((pod) =>
      peers.some(({ podSelector, namespaceSelector }) => {
        const isThere = namespaceSelector
          ? selects(namespaceSelector, namespaces.get(pod.namespace) ?? {})
          : pod.namespace === metadata.namespace;
        return isThere && selects(podSelector, pod.labels);
      }),
    );
  }

  /** Matches of a rule's ports; one that matches everything when it names none. */
  #portsOf(policy: KubeObject, rule: any, direction: Direction, at: string): string[] {
    const ports: any[] = rule.ports ?? [];
    const { ip: words, address } = nftFamilies[this.#input.family];
    if (ports.length === 0) return [""];
    return ports.flatMap((port, i) => {
      const protocol = protocolOf(port);
      if (port.port === undefined) return `meta l4proto ${protocol}`;
      if (typeof port.port === "number") {
        const { endPort = port.port } = port;
        const range = endPort > port.port ? `${port.port}-${endPort}` : `${port.port}`;
        const match = `${protocol} dport ${range}`;
        const { dns } = this.#input;
        const isDns = dns && direction === "egress" && port.port <= dnsPort && endPort >= dnsPort;
        // Packets come here with the port that the Service led them to.
        return isDns
          ? [match, `${words} daddr ${dns.address} ${protocol} dport ${dns.port}`]
          : match;
      }
      const name = `${at}-port-${i}`;
      const pods =
        direction === "ingress"
          ? this.#input.pods.filter((pod) => pod.isLocal && this.#isOver(policy, pod))
          : this.#input.pods;
      const elements = new Set(
        pods.flatMap(({ ip, ports: named }) => {
          const number = named.get(`${protocol}/${port.port}`);
          return number === undefined ? [] : [`${ip} . ${number}`];
        }),
      );
      this.#table.sets.set(name, { type: `${address} . inet_service`, elements });
      return `${words} daddr . ${protocol} dport @${name}`;
    });
  }
}

function blockMatch(field: string, { cidr, except = [] }: { cidr: string; except?: string[] }) {
  const holes = except.filter((hole) => covers(cidr, hole.split("/")[0]!));
  const within = `${field} ${cidr}`;
  return holes.length > 0 ? `${within} ${field} != { ${mergedHoles(holes).join(", ")} }` : within;
}

/** An interval that lies in another is an error to nftables. */
const mergedHoles = (holes: string[]) =>
  [...new Set(holes)].filter(
    (hole) =>
      !holes.some((other) => {
        const [address, bits] = hole.split("/") as [string, string];
        return (
          other !== hole && Number(other.split("/")[1]) < Number(bits) && covers(other, address)
        );
      }),
  );

/** What stands in the table for these policies. */
export const planPolicies = (input: PolicyInput): PolicyTable => new Planner(input).run();
