// Prints service rules as nftables commands. One map leads from address, protocol and port to a chain per
// service port, so the cost of a connection does not grow with the number of Services; a chain picks its
// endpoint by `numgen random`. A change is one transaction that touches only the chains that differ.
import { createHash } from "node:crypto";
import { mapChanges, sameRules, setChanges } from "./nft-changes.ts";
import type { Frontend, ServicePort } from "./service-rules.ts";

export interface RulesetOptions {
  table: string;
  podCidr: string;
  clusterCidr: string;
}

/** What stands in the kernel: chains by name with their rules, and map elements. */
export interface Ruleset {
  /** Chain name to its rules, one a line. */
  chains: Map<string, string[]>;
  /** `address . protocol . port` to chain, as elements of the map `services`. */
  services: Map<string, string>;
  /** `protocol . port` to chain, as elements of the map `nodeports`. */
  nodeports: Map<string, string>;
  /** Pod addresses that may reach themselves through a Service. */
  hairpins: Set<string>;
}

const chainName = (id: string) =>
  `svc-${createHash("sha256").update(id).digest("base64url").slice(0, 16).replaceAll("-", ".")}`;

function chainRules({ backends, affinitySeconds }: ServicePort, protocol: string): string[] {
  const target = (b: { address: string; port: number }) => `${b.address} . ${b.port}`;
  if (backends.length === 1) {
    const [only] = backends;
    return [`meta l4proto ${protocol} dnat ip to ${only!.address}:${only!.port}`];
  }
  const map = backends.map((b, i) => `${i} : ${target(b)}`).join(", ");
  // With affinity the client's address decides, so that no state can be lost or has to be kept.
  const pick = affinitySeconds > 0 ? "jhash ip saddr" : "numgen random";
  return [`meta l4proto ${protocol} dnat ip to ${pick} mod ${backends.length} map { ${map} }`];
}

/** Service rules as chains and map elements. Pure. */
export function rulesetOf(rules: ServicePort[]): Ruleset {
  const ruleset: Ruleset = {
    chains: new Map(),
    services: new Map(),
    nodeports: new Map(),
    hairpins: new Set(),
  };
  const place = (frontend: Frontend, chain: string) => {
    const end = `${frontend.protocol} . ${frontend.port}`;
    if (frontend.address === undefined) ruleset.nodeports.set(end, chain);
    else ruleset.services.set(`${frontend.address} . ${end}`, chain);
  };
  for (const rule of rules) {
    const protocol = rule.frontends[0]!.protocol;
    // A nat hook cannot reject; what has no endpoint is refused in the filter chains instead.
    if (rule.backends.length === 0) continue;
    const chain = chainName(`${rule.id}/${protocol}`);
    ruleset.chains.set(chain, chainRules(rule, protocol));
    for (const frontend of rule.frontends) place(frontend, chain);
    for (const backend of rule.backends) ruleset.hairpins.add(backend.address);
  }
  return ruleset;
}

/** Frontends without any endpoint: connections are refused at once, not left to time out. Pure. */
export function refusedElements(rules: ServicePort[]): string[] {
  return rules
    .filter((rule) => rule.backends.length === 0)
    .flatMap((rule) => rule.frontends)
    .filter((frontend) => frontend.address !== undefined)
    .map(({ address, protocol, port }) => `${address} . ${protocol} . ${port}`);
}

/** The table's fixed part, emptied first. */
export function tableCommands({ table, podCidr, clusterCidr }: RulesetOptions): string[] {
  const t = `ip ${table}`;
  return [
    `add table ${t}`,
    `delete table ${t}`,
    `add table ${t}`,
    `add map ${t} services { type ipv4_addr . inet_proto . inet_service : verdict; }`,
    `add map ${t} nodeports { type inet_proto . inet_service : verdict; }`,
    `add set ${t} hairpins { type ipv4_addr . ipv4_addr; }`,
    `add set ${t} refused { type ipv4_addr . inet_proto . inet_service; }`,
    `add chain ${t} dispatch`,
    `add rule ${t} dispatch ip daddr . meta l4proto . th dport vmap @services`,
    `add rule ${t} dispatch fib daddr type local ip daddr != 127.0.0.0/8 meta l4proto . th dport vmap @nodeports`,
    `add chain ${t} prerouting { type nat hook prerouting priority -100; }`,
    `add rule ${t} prerouting jump dispatch`,
    `add chain ${t} output { type nat hook output priority -100; }`,
    `add rule ${t} output jump dispatch`,
    `add chain ${t} postrouting { type nat hook postrouting priority 100; }`,
    // A pod that reaches itself through a Service must see its answer come back through translation.
    `add rule ${t} postrouting ct status dnat ip saddr . ip daddr @hairpins masquerade`,
    // Outside traffic that entered by a NodePort and leaves to a pod elsewhere must return this way.
    `add rule ${t} postrouting ct status dnat ip daddr ${clusterCidr} ip saddr != ${clusterCidr} ip daddr != ${podCidr} masquerade`,
    `add rule ${t} postrouting ip saddr ${podCidr} ip daddr != ${clusterCidr} fib daddr type != local masquerade`,
    `add chain ${t} refuse-in { type filter hook forward priority 0; }`,
    `add rule ${t} refuse-in ip daddr . meta l4proto . th dport @refused reject`,
    `add chain ${t} refuse-out { type filter hook output priority 0; }`,
    `add rule ${t} refuse-out ip daddr . meta l4proto . th dport @refused reject`,
  ];
}

/** Commands that lead from `was` to `now` within one transaction. Pure. */
export function changeCommands(
  table: string,
  now: { ruleset: Ruleset; refused: string[] },
  was: { ruleset: Ruleset; refused: string[] },
): string[] {
  const t = `ip ${table}`;
  const services = mapChanges(`${t} services`, now.ruleset.services, was.ruleset.services);
  const nodeports = mapChanges(`${t} nodeports`, now.ruleset.nodeports, was.ruleset.nodeports);
  const chains = [...now.ruleset.chains].flatMap(([name, rules]) => {
    const old = was.ruleset.chains.get(name);
    if (sameRules(rules, old)) return [];
    const head = old ? `flush chain ${t} ${name}` : `add chain ${t} ${name}`;
    return [head, ...rules.map((rule) => `add rule ${t} ${name} ${rule}`)];
  });
  const dead = [...was.ruleset.chains.keys()].filter((name) => !now.ruleset.chains.has(name));
  const pairs = (addresses: Set<string>) => [...addresses].map((a) => `${a} . ${a}`);
  return [
    ...services.remove,
    ...nodeports.remove,
    ...chains,
    ...services.add,
    ...nodeports.add,
    ...dead.flatMap((name) => [`flush chain ${t} ${name}`, `delete chain ${t} ${name}`]),
    ...setChanges(`${t} hairpins`, pairs(now.ruleset.hairpins), pairs(was.ruleset.hairpins)),
    ...setChanges(`${t} refused`, now.refused, was.refused),
  ];
}

export const emptyRuleset = (): Ruleset => ({
  chains: new Map(),
  services: new Map(),
  nodeports: new Map(),
  hairpins: new Set(),
});
