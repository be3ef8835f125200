// Prints service rules as nftables commands. One map leads from address, protocol and port to a chain per
// service port, so the cost of a connection does not grow with the number of Services; a chain picks its
// endpoint from a map of its own. A change is one transaction that touches only what differs.
import { createHash } from "node:crypto";
import { covers, familyOf } from "../../lib/ip-range.ts";
import type { IpFamily } from "../../lib/ip-range.ts";
import { mapChanges, sameRules, setChanges } from "./nft-changes.ts";
import { nftFamilies } from "./nft-family.ts";
import type { NftFamily } from "./nft-family.ts";
import type { Backend, Frontend, ServicePort } from "./service-rules.ts";

/** Of one family. */
export interface PodRanges {
  podCidr: string;
  clusterCidr: string;
}

/** What stands in the kernel for one family. */
export interface Ruleset {
  family: IpFamily;
  /** Chain name to its rules, one a line. */
  chains: Map<string, string[]>;
  /** Maps that remember which endpoint a client has, with their seconds. */
  affinities: Map<string, number>;
  /** `address . protocol . port` to a verdict. */
  services: Map<string, string>;
  /** `protocol . port` to a verdict. */
  nodeports: Map<string, string>;
  /** Ways in that only some may use: to the chain that knows them. */
  guards: Map<string, string>;
  /** Ways in without an endpoint: connections are refused or dropped, not left to time out. */
  unserved: Map<string, string>;
  "unserved-ports": Map<string, string>;
  /** Pod addresses that may reach themselves through a Service. */
  hairpins: Set<string>;
  /** Endpoints that are no pods of the cluster. */
  outsiders: Set<string>;
  /** UDP flows that end when they are no more: frontend to backend. */
  flows: Set<string>;
}

const verdictMaps = ["services", "nodeports", "guards", "unserved", "unserved-ports"] as const;

export const emptyRuleset = (family: IpFamily): Ruleset => ({
  family,
  chains: new Map(),
  affinities: new Map(),
  services: new Map(),
  nodeports: new Map(),
  guards: new Map(),
  unserved: new Map(),
  "unserved-ports": new Map(),
  hairpins: new Set(),
  outsiders: new Set(),
  flows: new Set(),
});

const hash = (text: string) => createHash("sha256").update(text);
const short = (text: string) => hash(text).digest("base64url").slice(0, 16).replaceAll("-", ".");
const chainName = (id: string) => `svc-${short(id)}`;

const targetOf = ({ address, port }: Backend) => `${address} . ${port}`;
const placeOf = ({ address, port }: Backend) =>
  familyOf(address) === "IPv6" ? `[${address}]:${port}` : `${address}:${port}`;

/** A number for each endpoint that stays the same whatever comes and goes beside it; never 0. */
function marksOf(backends: Backend[]): number[] {
  const taken = new Set<number>();
  return backends.map((backend) => {
    let mark = hash(targetOf(backend)).digest().readUInt32BE(0) >>> 1 || 1;
    while (taken.has(mark)) mark++;
    taken.add(mark);
    return mark;
  });
}

/**
 * A client stays with the endpoint whose mark is remembered for it, as long as there is such an endpoint. The
 * packet carries the mark from rule to rule.
 */
function affinityRules(
  backends: Backend[],
  remembered: string,
  { protocol, ip }: Pick<NftFamily, "ip"> & { protocol: string },
): string[] {
  const marks = marksOf(backends);
  const unknown = `meta mark != { ${marks.join(", ")} }`;
  const picks = marks.map((mark, i) => `${i} : ${mark}`).join(", ");
  const targets = backends.map((b, i) => `${marks[i]} : ${targetOf(b)}`).join(", ");
  return [
    "meta mark set 0",
    `meta mark set ${ip} saddr map @${remembered}`,
    `${unknown} delete @${remembered} { ${ip} saddr : meta mark }`,
    `${unknown} meta mark set numgen random mod ${marks.length} map { ${picks} }`,
    `update @${remembered} { ${ip} saddr : meta mark }`,
    `meta l4proto ${protocol} dnat ${ip} to meta mark map { ${targets} }`,
  ];
}

function pickRules(
  backends: Backend[],
  remembered: string | undefined,
  of: Pick<NftFamily, "ip"> & { protocol: string },
) {
  const { ip, protocol } = of;
  if (backends.length === 0) return [];
  if (backends.length === 1) {
    const [only] = backends;
    return [`meta l4proto ${protocol} dnat ${ip} to ${placeOf(only!)}`];
  }
  if (remembered) return affinityRules(backends, remembered, of);
  const map = backends.map((b, i) => `${i} : ${targetOf(b)}`).join(", ");
  const pick = `numgen random mod ${backends.length}`;
  return [`meta l4proto ${protocol} dnat ${ip} to ${pick} map { ${map} }`];
}

const keyOf = ({ address, protocol, port }: Frontend) =>
  address === undefined ? `${protocol} . ${port}` : `${address} . ${protocol} . ${port}`;

function addChains(ruleset: Ruleset, rule: ServicePort, clusterCidr: string): string {
  const { protocol } = rule.frontends[0]!;
  const { ip } = nftFamilies[ruleset.family];
  const of = { protocol, ip };
  const chain = chainName(`${rule.id}/${protocol}`);
  const remembered = rule.affinity && `aff-${short(rule.affinity.of)}-${rule.affinity.seconds}`;
  if (remembered) ruleset.affinities.set(remembered, rule.affinity!.seconds);
  const rules = pickRules(rule.backends, remembered, of);
  if (rule.inside?.length) {
    const within = `${chain}-in`;
    ruleset.chains.set(within, pickRules(rule.inside, remembered, of));
    rules.unshift(
      `${ip} saddr ${clusterCidr} goto ${within}`,
      `fib saddr type local goto ${within}`,
    );
  }
  ruleset.chains.set(chain, rules);
  return chain;
}

function addGuard(ruleset: Ruleset, rule: ServicePort, sources: string[]) {
  const chain = `guard-${short(rule.id)}`;
  const { ip } = nftFamilies[ruleset.family];
  ruleset.chains.set(chain, [`${ip} saddr != { ${sources.join(", ")} } drop`]);
  for (const frontend of rule.frontends) ruleset.guards.set(keyOf(frontend), `goto ${chain}`);
}

function addRule(ruleset: Ruleset, rule: ServicePort, clusterCidr: string) {
  const all = [...rule.backends, ...(rule.inside ?? [])];
  const chain = all.length > 0 && addChains(ruleset, rule, clusterCidr);
  for (const frontend of rule.frontends) {
    const key = keyOf(frontend);
    const isPort = frontend.address === undefined;
    if (chain) ruleset[isPort ? "nodeports" : "services"].set(key, `goto ${chain}`);
    if (rule.backends.length === 0) {
      const verdict = rule.otherwise === "drop" ? "drop" : "goto refuse";
      ruleset[isPort ? "unserved-ports" : "unserved"].set(key, verdict);
    }
    if (frontend.protocol !== "udp") continue;
    for (const { address } of all)
      ruleset.flows.add(`${frontend.address ?? ""} ${frontend.port} ${address}`);
  }
  for (const { address } of all) {
    ruleset.hairpins.add(`${address} . ${address}`);
    if (!covers(clusterCidr, address)) ruleset.outsiders.add(address);
  }
  if (!rule.sources) return;
  const sources = rule.sources.filter((range) => familyOf(range) === ruleset.family);
  const { nobody } = nftFamilies[ruleset.family];
  addGuard(ruleset, rule, sources.length > 0 ? sources : [nobody]);
}

/** Service rules as chains and map elements, of the family of the pods' range. Pure. */
export function rulesetOf(rules: ServicePort[], clusterCidr: string): Ruleset {
  const ruleset = emptyRuleset(familyOf(clusterCidr));
  for (const rule of rules) addRule(ruleset, rule, clusterCidr);
  return ruleset;
}

/** All of them together; of two that want the same way in, the first has it. Pure. */
export function mergeRulesets(family: IpFamily, parts: Iterable<Ruleset>): Ruleset {
  const all = emptyRuleset(family);
  for (const part of parts) {
    for (const [name, rules] of part.chains) all.chains.set(name, rules);
    for (const [name, seconds] of part.affinities) all.affinities.set(name, seconds);
    for (const map of verdictMaps) {
      for (const [key, verdict] of part[map]) {
        if (!all[map].has(key)) all[map].set(key, verdict);
      }
    }
    for (const pair of part.hairpins) all.hairpins.add(pair);
    for (const address of part.outsiders) all.outsiders.add(address);
    for (const flow of part.flows) all.flows.add(flow);
  }
  return all;
}

const byAddress = (address: string) => `type ${address} . inet_proto . inet_service : verdict;`;
const byPort = "type inet_proto . inet_service : verdict;";
const toPort = "meta l4proto . th dport";

/** The table's fixed part, emptied first. */
export function tableCommands(table: string, { podCidr, clusterCidr }: PodRanges): string[] {
  const { ip, address, loopback } = nftFamilies[familyOf(clusterCidr)];
  const t = `${ip} ${table}`;
  const toAddress = `${ip} daddr . meta l4proto . th dport`;
  const isNodePort = `fib daddr type local ${ip} daddr != ${loopback}`;
  const rule = (chain: string, text: string) => `add rule ${t} ${chain} ${text}`;
  const hook = (chain: string, at: string) => `add chain ${t} ${chain} { type ${at}; }`;
  return [
    `add table ${t}`,
    `delete table ${t}`,
    `add table ${t}`,
    ...verdictMaps.map(
      (name) => `add map ${t} ${name} { ${name.endsWith("ports") ? byPort : byAddress(address)} }`,
    ),
    `add set ${t} hairpins { type ${address} . ${address}; }`,
    `add set ${t} outsiders { type ${address}; }`,
    `add chain ${t} dispatch`,
    rule("dispatch", `${toAddress} vmap @services`),
    rule("dispatch", `${isNodePort} ${toPort} vmap @nodeports`),
    hook("prerouting", "nat hook prerouting priority -100"),
    rule("prerouting", "jump dispatch"),
    hook("output", "nat hook output priority -100"),
    rule("output", "jump dispatch"),
    hook("postrouting", "nat hook postrouting priority 100"),
    // A pod that reaches itself through a Service must see its answer come back through translation.
    rule("postrouting", `ct status dnat ${ip} saddr . ${ip} daddr @hairpins masquerade`),
    // A port of the host's loopback that leads to a pod, which must answer to somebody.
    rule("postrouting", `ct status dnat ${ip} saddr ${loopback} masquerade`),
    // Outside traffic that leaves for another machine must return this way: the way it goes tells, since addresses
    // move between machines. What other sites of this machine translate is theirs.
    rule(
      "postrouting",
      `ct status dnat ${ip} daddr ${clusterCidr} ${ip} saddr != ${clusterCidr} rt ${ip} nexthop != ${podCidr} masquerade`,
    ),
    rule(
      "postrouting",
      `ct status dnat ${ip} daddr @outsiders ${ip} saddr != ${clusterCidr} fib daddr type != local masquerade`,
    ),
    rule(
      "postrouting",
      `${ip} saddr ${clusterCidr} ${ip} daddr != ${clusterCidr} fib daddr type != local masquerade`,
    ),
    hook("guard", "filter hook prerouting priority -110"),
    // Loopback is not for others, also where it is routed for the sake of a port.
    rule("guard", `iif != "lo" ${ip} daddr ${loopback} drop`),
    rule("guard", `ct state new ${toAddress} vmap @guards`),
    `add chain ${t} refuse`,
    rule("refuse", "reject"),
    `add chain ${t} without-endpoint`,
    rule("without-endpoint", "ct status dnat return"),
    rule("without-endpoint", `${toAddress} vmap @unserved`),
    rule("without-endpoint", `${isNodePort} ${toPort} vmap @unserved-ports`),
    ...["forward", "input", "output"].flatMap((name) => [
      hook(`refuse-${name}`, `filter hook ${name} priority 0`),
      rule(`refuse-${name}`, "ct state new jump without-endpoint"),
    ]),
    // What comes far outside a connection's window is not translated back: its client would not know the pod, and
    // would end the connection.
    ...["forward", "input"].map((name) =>
      rule(`refuse-${name}`, `ct state invalid ${ip} saddr ${clusterCidr} drop`),
    ),
  ];
}

function chainChanges(t: string, now: Ruleset["chains"], was: Ruleset["chains"]) {
  const changed = [...now].filter(([name, rules]) => !sameRules(rules, was.get(name)));
  const dead = [...was.keys()].filter((name) => !now.has(name));
  return {
    // All chains first, since rules lead from one to another.
    write: [
      ...changed.map(([name]) => `${was.has(name) ? "flush" : "add"} chain ${t} ${name}`),
      ...changed.flatMap(([name, rules]) => rules.map((rule) => `add rule ${t} ${name} ${rule}`)),
    ],
    remove: [
      ...dead.map((name) => `flush chain ${t} ${name}`),
      ...dead.map((name) => `delete chain ${t} ${name}`),
    ],
  };
}

const affinityMap = (address: string, seconds: number) =>
  `{ type ${address} : mark; flags dynamic,timeout; timeout ${seconds}s; size 65536; }`;

/** Commands that lead from `was` to `now` within one transaction. Pure. */
export function changeCommands(table: string, now: Ruleset, was: Ruleset): string[] {
  const { ip, address } = nftFamilies[now.family];
  const t = `${ip} ${table}`;
  const maps = verdictMaps.map((name) => mapChanges(`${t} ${name}`, now[name], was[name]));
  const chains = chainChanges(t, now.chains, was.chains);
  const fresh = [...now.affinities].filter(([name]) => !was.affinities.has(name));
  const forgotten = [...was.affinities.keys()].filter((name) => !now.affinities.has(name));
  return [
    ...maps.flatMap(({ remove }) => remove),
    ...fresh.map(([name, seconds]) => `add map ${t} ${name} ${affinityMap(address, seconds)}`),
    ...chains.write,
    ...maps.flatMap(({ add }) => add),
    ...chains.remove,
    ...forgotten.map((name) => `delete map ${t} ${name}`),
    ...setChanges(`${t} hairpins`, now.hairpins, was.hairpins),
    ...setChanges(`${t} outsiders`, now.outsiders, was.outsiders),
  ];
}
