// Prints policies as nftables commands, in a table of their own. Each direction has a chain of its own in the
// forward hook, so that what one accepts the other still judges. A pod's address leads to its chain through a
// map: a packet of a pod that no policy selects costs two look-ups, however many policies there are.
import type { IpFamily } from "../../lib/ip-range.ts";
import { mapChanges, sameRules, setChanges } from "./nft-changes.ts";
import { nftFamilies } from "./nft-family.ts";
import type { PolicyTable } from "./policy-plan.ts";

/** After the refusals of Services, egress before ingress. */
const egressPriority = 10;
const ingressPriority = 11;

/** How machines of a link find each other in IPv6; these packets leave no link. */
const neighbours =
  "icmpv6 type { nd-router-solicit, nd-neighbor-solicit, nd-neighbor-advert } accept";

/** Established connections go on; a pod reaches itself, also through a Service. */
const passing = (ip: "ip" | "ip6") => [
  "ct state established,related accept",
  ...(ip === "ip6" ? [neighbours] : []),
  `${ip} saddr . ${ip} daddr @selves accept`,
];

/** The table's fixed part, emptied first. */
export function policyTableCommands(table: string, family: IpFamily): string[] {
  const { ip, address } = nftFamilies[family];
  const t = `${ip} ${table}`;
  const base = (name: string, hook: string, priority: number, map: string, field: string) => [
    `add chain ${t} ${name} { type filter hook ${hook} priority ${priority}; }`,
    ...passing(ip).map((rule) => `add rule ${t} ${name} ${rule}`),
    `add rule ${t} ${name} ${ip} ${field} vmap @${map}`,
  ];
  return [
    `add table ${t}`,
    `delete table ${t}`,
    `add table ${t}`,
    `add map ${t} ingress { type ${address} : verdict; }`,
    `add map ${t} egress { type ${address} : verdict; }`,
    `add set ${t} selves { type ${address} . ${address}; }`,
    // A pod speaks with its own address only. At this hook a port of a bridge shows as the bridge, so these
    // are the routed pairs of pods.
    `add chain ${t} spoofed { type filter hook prerouting priority -300; }`,
    `add rule ${t} spoofed iifname "veth*" fib saddr . iif oif missing drop`,
    ...base("egress-forward", "forward", egressPriority, "egress", "saddr"),
    ...base("egress-input", "input", egressPriority, "egress", "saddr"),
    ...base("ingress-forward", "forward", ingressPriority, "ingress", "daddr"),
  ];
}

const selvesOf = ({ ingress, egress }: PolicyTable) =>
  [...new Set([...ingress.keys(), ...egress.keys()])].map((ip) => `${ip} . ${ip}`);

const verdicts = (chains: Map<string, string>) =>
  new Map([...chains].map(([address, chain]) => [address, `goto ${chain}`]));

/** Commands that lead from `was` to `now` within one transaction. Pure. */
export function policyChanges(table: string, now: PolicyTable, was: PolicyTable): string[] {
  const t = `${nftFamilies[now.family].ip} ${table}`;
  const ingress = mapChanges(`${t} ingress`, verdicts(now.ingress), verdicts(was.ingress));
  const egress = mapChanges(`${t} egress`, verdicts(now.egress), verdicts(was.egress));
  const isNewSet = (name: string) => was.sets.get(name)?.type !== now.sets.get(name)!.type;
  const newSets = [...now.sets.keys()].filter(isNewSet);
  const changed = [...now.chains].filter(
    ([name, rules]) => !sameRules(rules, was.chains.get(name)),
  );
  const dead = [...was.chains.keys()].filter((name) => !now.chains.has(name));
  const emptied = [...changed.map(([name]) => name), ...dead].filter((name) =>
    was.chains.has(name),
  );
  return [
    ...ingress.remove,
    ...egress.remove,
    ...emptied.map((name) => `flush chain ${t} ${name}`),
    ...[...was.sets.keys()]
      .filter((name) => !now.sets.has(name) || newSets.includes(name))
      .map((name) => `delete set ${t} ${name}`),
    ...newSets.map((name) => `add set ${t} ${name} { type ${now.sets.get(name)!.type}; }`),
    ...[...now.sets].flatMap(([name, { elements }]) =>
      setChanges(`${t} ${name}`, elements, isNewSet(name) ? [] : was.sets.get(name)!.elements),
    ),
    ...changed.filter(([name]) => !was.chains.has(name)).map(([name]) => `add chain ${t} ${name}`),
    ...changed.flatMap(([name, rules]) => rules.map((rule) => `add rule ${t} ${name} ${rule}`)),
    ...dead.map((name) => `delete chain ${t} ${name}`),
    ...setChanges(`${t} selves`, selvesOf(now), selvesOf(was)),
    ...ingress.add,
    ...egress.add,
  ];
}
