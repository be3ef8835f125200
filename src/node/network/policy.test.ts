import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { emptyTable, planPolicies } from "./policy-plan.ts";
import type { PolicyPod, PolicyTable } from "./policy-plan.ts";
import { policyChanges, policyTableCommands } from "./policy-rules.ts";

const pod = (ip: string, app: string, more: Partial<PolicyPod> = {}): PolicyPod => ({
  namespace: "default",
  labels: { app },
  ip,
  ports: new Map([["tcp/http", 8080]]),
  isLocal: true,
  ...more,
});
const policy = (spec: object, name = "p", namespace = "default") =>
  ({ metadata: { name, namespace }, spec }) as unknown as KubeObject;
const app = (name: string) => ({ matchLabels: { app: name } });

const web = pod("10.0.0.2", "web");
const db = pod("10.0.0.3", "db");
const far = pod("10.0.1.4", "web", { isLocal: false, namespace: "shop" });
const namespaces = new Map([
  ["default", {}],
  ["shop", { team: "a" }],
]);
const plan = (...policies: KubeObject[]) =>
  planPolicies({ family: "IPv4", policies, pods: [web, db, far], namespaces });

/** The rules that judge a packet to (or from) a pod, jumps followed. */
function rules(table: PolicyTable, direction: "ingress" | "egress", ip: string): string[] {
  const chain = table[direction].get(ip);
  if (!chain) return ["accept"];
  return table.chains.get(chain)!.flatMap((rule) => {
    const to = /^jump (.*)$/.exec(rule)?.[1];
    return to ? table.chains.get(to)! : [rule];
  });
}
const filled = (table: PolicyTable, rule: string) =>
  rule.replace(/@(\S+)/g, (_, name) => `{${[...table.sets.get(name)!.elements].join(" ")}}`);
const judged = (table: PolicyTable, direction: "ingress" | "egress", ip: string) =>
  rules(table, direction, ip).map((rule) => filled(table, rule));

test("a pod that no policy selects is left alone; one that a policy selects is closed", () => {
  const table = plan(policy({ podSelector: app("web"), policyTypes: ["Ingress"] }));
  assert.deepEqual(judged(table, "ingress", web.ip), ["drop"]);
  assert.deepEqual(judged(table, "egress", web.ip), ["accept"]);
  assert.deepEqual(judged(table, "ingress", db.ip), ["accept"]);
  assert.equal(table.ingress.size, 1, "pods of other nodes are those nodes' business");
});

test("types that are not said follow from the rules", () => {
  const table = plan(policy({ podSelector: {}, egress: [{}] }));
  assert.deepEqual(judged(table, "ingress", web.ip), ["drop"]);
  assert.deepEqual(judged(table, "egress", web.ip), ["accept", "drop"]);
});

test("peers are pods by label, namespaces by label, and blocks of addresses", () => {
  const from = [
    { podSelector: app("db") },
    { namespaceSelector: { matchLabels: { team: "a" } }, podSelector: app("web") },
    { ipBlock: { cidr: "192.168.0.0/16", except: ["192.168.1.0/24", "192.168.1.0/25"] } },
    { ipBlock: { cidr: "fd00::/8" } },
  ];
  const table = plan(policy({ podSelector: app("web"), ingress: [{ from }] }));
  assert.deepEqual(judged(table, "ingress", web.ip), [
    "ip saddr {10.0.0.3 10.0.1.4} accept",
    "ip saddr 192.168.0.0/16 ip saddr != { 192.168.1.0/24 } accept",
    "drop",
  ]);
});

test("ports are numbers, ranges, names and whole protocols", () => {
  const ports = [
    { port: 80 },
    { protocol: "UDP", port: 100, endPort: 200 },
    { port: "http" },
    { protocol: "SCTP" },
  ];
  const inwards = plan(policy({ podSelector: app("web"), ingress: [{ ports }] }));
  assert.deepEqual(judged(inwards, "ingress", web.ip), [
    "tcp dport 80 accept",
    "udp dport 100-200 accept",
    "ip daddr . tcp dport {10.0.0.2 . 8080} accept",
    "meta l4proto sctp accept",
    "drop",
  ]);
  const outwards = plan(
    policy({
      podSelector: app("web"),
      policyTypes: ["Egress"],
      egress: [{ to: [{ podSelector: app("db") }], ports: [{ port: "http" }] }],
    }),
  );
  assert.deepEqual(judged(outwards, "egress", web.ip), [
    "ip daddr {10.0.0.3} ip daddr . tcp dport {10.0.0.2 . 8080 10.0.0.3 . 8080 10.0.1.4 . 8080} accept",
    "drop",
  ]);
});

test("several policies over a pod allow together", () => {
  const one = policy({ podSelector: {}, ingress: [{ ports: [{ port: 1 }] }] }, "one");
  const two = policy({ podSelector: app("web"), ingress: [{ ports: [{ port: 2 }] }] }, "two");
  const table = plan(one, two);
  assert.deepEqual(judged(table, "ingress", db.ip), ["tcp dport 1 accept", "drop"]);
  assert.deepEqual(judged(table, "ingress", web.ip).toSorted(), [
    "drop",
    "tcp dport 1 accept",
    "tcp dport 2 accept",
  ]);
});

test("who may ask DNS asks the server that answers for it", () => {
  const spec = {
    podSelector: {},
    policyTypes: ["Egress"],
    egress: [{ ports: [{ protocol: "UDP", port: 53 }] }],
  };
  const table = planPolicies({
    family: "IPv4",
    policies: [policy(spec)],
    pods: [web],
    namespaces,
    dns: { address: "10.0.0.1", port: 40_053 },
  });
  assert.deepEqual(judged(table, "egress", web.ip), [
    "udp dport 53 accept",
    "ip daddr 10.0.0.1 udp dport 40053 accept",
    "drop",
  ]);
});

test("a change of one peer is one element, and nothing is sent when nothing changed", () => {
  const spec = { podSelector: app("web"), ingress: [{ from: [{ podSelector: app("db") }] }] };
  const before = plan(policy(spec));
  const another = pod("10.0.0.9", "db");
  const after = planPolicies({
    family: "IPv4",
    policies: [policy(spec)],
    pods: [web, db, far, another],
    namespaces,
  });
  assert.deepEqual(policyChanges("t", before, before), []);
  const commands = policyChanges("t", after, before);
  assert.equal(commands.length, 1);
  assert.match(commands[0]!, /^add element ip t \S+ \{ 10\.0\.0\.9 \}$/);
});

test("what is no longer wanted goes, users before what they use", () => {
  const spec = { podSelector: app("web"), ingress: [{ from: [{ podSelector: app("db") }] }] };
  const commands = policyChanges("t", emptyTable("IPv4"), plan(policy(spec)));
  const order = ["delete element ip t ingress", "flush chain", "delete set", "delete chain"];
  const places = order.map((start) => commands.findIndex((one) => one.startsWith(start)));
  assert.deepEqual(
    places,
    places.toSorted((a, b) => a - b),
  );
  assert.ok(places.every((at) => at >= 0));
  assert.ok(policyTableCommands("t", "IPv4")[1] === "delete table ip t");
});

test("what a policy says holds for both families, with peers and blocks of each", () => {
  const from = [
    { podSelector: app("db") },
    { ipBlock: { cidr: "2001:db8::/32", except: ["2001:db8:1::/48"] } },
    { ipBlock: { cidr: "192.0.2.0/24" } },
  ];
  const spec = { podSelector: app("web"), ingress: [{ from, ports: [{ port: "http" }] }] };
  const pods = [pod("fd00::2", "web"), pod("fd00::3", "db")];
  const table = planPolicies({ family: "IPv6", policies: [policy(spec)], pods, namespaces });
  const port = "ip6 daddr . tcp dport {fd00::2 . 8080}";
  assert.deepEqual(judged(table, "ingress", "fd00::2"), [
    `ip6 saddr {fd00::3} ${port} accept`,
    `ip6 saddr 2001:db8::/32 ip6 saddr != { 2001:db8:1::/48 } ${port} accept`,
    "drop",
  ]);
  assert.deepEqual(
    [...table.sets.values()].map(({ type }) => type),
    ["ipv6_addr . inet_service", "ipv6_addr"].toSorted(),
  );
  const commands = policyChanges("t", table, emptyTable("IPv6"));
  assert.ok(commands.every((command) => / ip6 t /.test(command)));
});

test("a pod that may ask nobody still finds its gateway in IPv6", () => {
  const fixed = policyTableCommands("t", "IPv6").join("\n");
  assert.match(fixed, /egress-input icmpv6 type \{ .*nd-neighbor-solicit.* \} accept/);
  assert.doesNotMatch(policyTableCommands("t", "IPv4").join("\n"), /icmpv6/);
});
