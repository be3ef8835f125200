import assert from "node:assert/strict";
import { test } from "node:test";
import { endedFlows } from "./ended-flows.ts";
import {
  changeCommands,
  emptyRuleset,
  mergeRulesets,
  rulesetOf,
  tableCommands,
} from "./ruleset.ts";
import { healthAnswer, healthChecksOf } from "./health-checks.ts";
import { hostPortRules, serviceRules } from "./service-rules.ts";

const here = { family: "IPv4" as const, nodes: ["a"], zone: "east" };

const service = (spec: object, name = "web") =>
  ({
    apiVersion: "v1",
    kind: "Service",
    metadata: { name, namespace: "default" },
    spec: { clusterIP: "10.150.0.5", ports: [{ protocol: "TCP", port: 80 }], ...spec },
  }) as any;
const slice = (endpoints: object[]) =>
  ({ addressType: "IPv4", ports: [{ protocol: "TCP", port: 8080 }], endpoints }) as any;
const ready = (address: string, nodeName = "a") => ({
  addresses: [address],
  nodeName,
  conditions: { ready: true },
});

test("a ClusterIP leads to every ready endpoint", () => {
  const slices = [
    slice([ready("10.0.0.2"), { addresses: ["10.0.0.9"], conditions: { ready: false } }]),
  ];
  const [rule] = serviceRules(service({}), slices, here);
  assert.deepEqual(rule?.frontends, [{ address: "10.150.0.5", protocol: "tcp", port: 80 }]);
  assert.deepEqual(rule?.backends, [{ address: "10.0.0.2", port: 8080 }]);
});

test("a node that is cut off knows itself which of its own pods are down", () => {
  const own = (uid: string, address: string) => ({ ...ready(address), targetRef: { uid } });
  const slices = [slice([own("up", "10.0.0.2"), own("down", "10.0.0.3"), ready("10.0.9.9", "b")])];
  const led = (isCutOff: boolean, down: string[], spec = {}) => {
    const isDown = (uid: string | undefined) => down.includes(uid ?? "");
    const rules = serviceRules(service(spec), slices, { ...here, isCutOff, isDown });
    return rules[0]!.backends.map(({ address }) => address);
  };
  assert.deepEqual(led(true, ["down"]), ["10.0.0.2"]);
  assert.deepEqual(led(true, ["up", "down"]), ["10.0.0.2", "10.0.0.3"], "no other can be reached");
  const unready = { publishNotReadyAddresses: true };
  assert.deepEqual(led(true, ["down"], unready), ["10.0.0.2", "10.0.0.3"]);
  assert.equal(led(false, ["down"]).length, 3, "else the server knows");
});

test("terminating endpoints serve only while no other is ready", () => {
  const leaving = {
    addresses: ["10.0.0.3"],
    conditions: { ready: false, serving: true, terminating: true },
  };
  const backends = (endpoints: object[]) =>
    serviceRules(service({}), [slice(endpoints)], here)[0]!.backends.map((b) => b.address);
  assert.deepEqual(backends([leaving]), ["10.0.0.3"]);
  assert.deepEqual(backends([leaving, ready("10.0.0.2")]), ["10.0.0.2"]);
});

test("a NodePort with local policy leads only to this node's endpoints", () => {
  const spec = {
    externalTrafficPolicy: "Local",
    ports: [{ protocol: "TCP", port: 80, nodePort: 30080 }],
  };
  const slices = [slice([ready("10.0.0.2", "a"), ready("10.0.0.3", "b")])];
  const [inside, outside] = serviceRules(service(spec), slices, here);
  assert.equal(inside!.backends.length, 2);
  assert.deepEqual(outside!.frontends, [{ protocol: "tcp", port: 30080 }]);
  assert.deepEqual(outside!.backends, [{ address: "10.0.0.2", port: 8080 }]);
});

test("headless and ExternalName Services need no rules", () => {
  assert.deepEqual(serviceRules(service({ clusterIP: "None" }), [], here), []);
  assert.deepEqual(serviceRules(service({ type: "ExternalName" }), [], here), []);
});

const cluster = "10.0.0.0/16";
const rulesetFor = (spec: object, endpoints: object[], status?: object) =>
  rulesetOf(serviceRules({ ...service(spec), status }, [slice(endpoints)], here), cluster);
const none = emptyRuleset("IPv4");

test("a change touches only what differs", () => {
  const one = rulesetFor({}, [ready("10.0.0.2")]);
  const two = rulesetFor({}, [ready("10.0.0.2"), ready("10.0.0.3")]);
  assert.deepEqual(changeCommands("t", one, one), []);
  assert.equal(changeCommands("t", one, none).filter((c) => c.startsWith("add element")).length, 2);
  const grown = changeCommands("t", two, one);
  assert.ok(grown.some((c) => c.startsWith("flush chain")));
  assert.ok(!grown.some((c) => c.includes(" services ")), "the map itself stays as it is");
  const gone = changeCommands("t", rulesetFor({}, []), two);
  assert.ok(gone.includes("add element ip t unserved { 10.150.0.5 . tcp . 80 : goto refuse }"));
});

const affine = (timeoutSeconds: number) => ({
  sessionAffinity: "ClientIP",
  sessionAffinityConfig: { clientIP: { timeoutSeconds } },
});

test("a client stays with its endpoint for a time, whatever comes and goes beside it", () => {
  const two = rulesetFor(affine(90), [ready("10.0.0.2"), ready("10.0.0.3")]);
  const [[name, seconds]] = [...two.affinities] as [[string, number]];
  assert.equal(seconds, 90);
  const add = changeCommands("t", two, none).find((c) => c.startsWith(`add map ip t ${name} `));
  assert.match(add!, /timeout 90s/);
  const targets = (ruleset: typeof two) => [...ruleset.chains.values()].flat().at(-1)!;
  const markOf = (text: string, address: string) =>
    new RegExp(`(\\d+) : ${address} `).exec(text)?.[1];
  const three = rulesetFor(affine(90), [ready("10.0.0.1"), ready("10.0.0.2"), ready("10.0.0.3")]);
  assert.equal(markOf(targets(three), "10.0.0.3"), markOf(targets(two), "10.0.0.3"));
  assert.notEqual(markOf(targets(two), "10.0.0.2"), markOf(targets(two), "10.0.0.3"));
  const forgotten = changeCommands("t", rulesetFor({}, [ready("10.0.0.2")]), two);
  assert.equal(forgotten.at(-2), `delete map ip t ${name}`);
});

const balancer = (spec: object) => ({
  type: "LoadBalancer",
  ports: [{ protocol: "TCP", port: 80, nodePort: 30080 }],
  ...spec,
});
const at = (ip: string) => ({ loadBalancer: { ingress: [{ ip, ipMode: "VIP" }] } });

test("outside traffic that stays on its node is dropped where there is no endpoint, and pods reach all", () => {
  const spec = balancer({ externalTrafficPolicy: "Local" });
  const away = rulesetFor(spec, [ready("10.0.1.3", "b")], at("192.0.2.9"));
  assert.equal(away.unserved.get("192.0.2.9 . tcp . 80"), "drop");
  assert.equal(away["unserved-ports"].get("tcp . 30080"), "drop");
  assert.equal(away.unserved.has("10.150.0.5 . tcp . 80"), false);
  const chain = away.services.get("192.0.2.9 . tcp . 80")!.replace("goto ", "");
  assert.equal(away.chains.get(chain)![0], `ip saddr ${cluster} goto ${chain}-in`);
  assert.match(away.chains.get(`${chain}-in`)!.join(), /10\.0\.1\.3/);
  const nowhere = rulesetFor(spec, [], at("192.0.2.9"));
  assert.equal(nowhere.unserved.get("192.0.2.9 . tcp . 80"), "goto refuse");
});

test("source ranges guard the addresses of a load balancer and nothing else", () => {
  const spec = balancer({ loadBalancerSourceRanges: ["192.0.2.0/28", "2001:db8::/32"] });
  const ruleset = rulesetFor(spec, [ready("10.0.0.2")], at("192.0.2.9"));
  assert.deepEqual([...ruleset.guards.keys()], ["192.0.2.9 . tcp . 80"]);
  const chain = [...ruleset.guards.values()][0]!.replace("goto ", "");
  assert.deepEqual(ruleset.chains.get(chain), ["ip saddr != { 192.0.2.0/28 } drop"]);
});

test("SCTP is translated like the others", () => {
  const ports = [{ protocol: "SCTP", port: 80 }];
  const slices = [{ ...slice([ready("10.0.0.2")]), ports: [{ protocol: "SCTP", port: 9000 }] }];
  const ruleset = rulesetOf(serviceRules(service({ ports }), slices, here), cluster);
  assert.ok(ruleset.services.has("10.150.0.5 . sctp . 80"));
  assert.match(
    [...ruleset.chains.values()].join(),
    /meta l4proto sctp dnat ip to 10\.0\.0\.2:9000/,
  );
});

test("flows of UDP end with their endpoint", () => {
  const ports = [{ protocol: "UDP", port: 53 }];
  const flows = (address: string) => {
    const slices = [{ ...slice([ready(address)]), ports: [{ protocol: "UDP", port: 53 }] }];
    return rulesetOf(serviceRules(service({ ports }), slices, here), cluster);
  };
  const ended = endedFlows(flows("10.0.0.3"), flows("10.0.0.2"));
  const words = "-D -p udp --orig-dst 10.150.0.5 --orig-port-dst 53 --dst-nat 10.0.0.2";
  assert.deepEqual(ended, [words.split(" ")]);
});

test("of two Services that want the same way in the first has it", () => {
  const [a, b] = [rulesetFor({}, [ready("10.0.0.2")]), emptyRuleset("IPv4")];
  b.services.set("10.150.0.5 . tcp . 80", "goto other");
  assert.notEqual(
    mergeRulesets("IPv4", [a, b]).services.get("10.150.0.5 . tcp . 80"),
    "goto other",
  );
});

test("a hostPort of this node leads to its pod", () => {
  const pod = (nodeName: string, more = {}) =>
    ({
      metadata: { name: "p", namespace: "default" },
      spec: {
        nodeName,
        containers: [{ ports: [{ containerPort: 80, hostPort: 8080, protocol: "TCP" }] }],
        ...more,
      },
      status: { podIP: "10.0.0.7" },
    }) as any;
  const [rule, ...rest] = hostPortRules(
    [pod("a"), pod("b"), pod("a", { hostNetwork: true })],
    here,
  );
  assert.deepEqual(rest, []);
  const port = { protocol: "tcp", port: 8080 };
  assert.deepEqual(rule?.frontends, [port, { ...port, address: "127.0.0.1" }]);
  assert.deepEqual(rule?.backends, [{ address: "10.0.0.7", port: 80 }]);
});

test("endpoints that are meant for here are taken, and all when none is", () => {
  const hinted = (address: string, hints: object) => ({ ...ready(address), hints });
  const zone = (name: string) => ({ forZones: [{ name }] });
  const backends = (endpoints: object[], spec = {}) =>
    serviceRules(service(spec), [slice(endpoints)], here)[0]!.backends.map((b) => b.address);
  const [east, west] = [hinted("10.0.0.2", zone("east")), hinted("10.0.0.3", zone("west"))];
  assert.deepEqual(backends([east, west]), ["10.0.0.2"]);
  assert.deepEqual(backends([west]), ["10.0.0.3"]);
  assert.deepEqual(backends([east, west, ready("10.0.0.4")]).length, 3);
  const own = hinted("10.0.0.5", { ...zone("west"), forNodes: [{ name: "a" }] });
  const other = hinted("10.0.0.6", { ...zone("east"), forNodes: [{ name: "b" }] });
  assert.deepEqual(backends([own, other]), ["10.0.0.5"]);
});

test("a node that is cut off asks its own endpoints first, and others where it has none", () => {
  const at = (address: string, nodeName: string) => ({ ...ready(address), nodeName });
  const backends = (endpoints: object[], isCutOff: boolean) =>
    serviceRules(service({}), [slice(endpoints)], {
      ...here,
      nodes: ["a"],
      isCutOff,
    })[0]!.backends.map(({ address }) => address);
  const [own, other] = [at("10.0.0.2", "a"), at("10.0.0.3", "b")];
  assert.deepEqual(backends([own, other], false), ["10.0.0.2", "10.0.0.3"]);
  assert.deepEqual(backends([own, other], true), ["10.0.0.2"]);
  assert.deepEqual(backends([other], true), ["10.0.0.3"]);
});

test("one hostPort at several addresses leads to several pods", () => {
  const pod = (name: string, hostIP: string, protocol = "TCP") =>
    ({
      metadata: { name, namespace: "default" },
      spec: {
        nodeName: "a",
        containers: [{ ports: [{ containerPort: 80, hostPort: 8080, protocol, hostIP }] }],
      },
      status: { podIP: `10.0.0.${name}` },
    }) as any;
  const pods = [pod("1", "127.0.0.1"), pod("2", "192.0.2.9"), pod("3", "192.0.2.9", "UDP")];
  const { services, chains } = rulesetOf(hostPortRules(pods, here), cluster);
  assert.equal(services.size, 3);
  assert.equal(chains.size, 3);
  const { services: anywhere, nodeports } = rulesetOf(hostPortRules([pod("1", "")], here), cluster);
  assert.deepEqual([...nodeports.keys()], ["tcp . 8080"]);
  assert.deepEqual([...anywhere.keys()], ["127.0.0.1 . tcp . 8080"], "the loopback's too");
});

test("a load balancer hears how many endpoints the node has of its own", () => {
  const spec = balancer({ externalTrafficPolicy: "Local", healthCheckNodePort: 32000 });
  const slices = [slice([ready("10.0.0.2", "a"), ready("10.0.1.3", "b")])];
  const services = [service(spec), service(balancer({}), "other")];
  const [check, ...rest] = healthChecksOf(services, () => slices, ["a"]);
  assert.deepEqual(rest, []);
  assert.deepEqual([check!.port, check!.localEndpoints], [32000, 1]);
  assert.equal(healthAnswer(check!).status, 200);
  assert.equal(healthAnswer({ ...check!, localEndpoints: 0 }).status, 503);
});

const six = { ...here, family: "IPv6" as const };
const sixSlice = (...addresses: string[]) =>
  ({ ...slice(addresses.map((address) => ready(address))), addressType: "IPv6" }) as any;
const both = { clusterIP: "10.150.0.5", clusterIPs: ["10.150.0.5", "fd00:150::5"] };
const sixCluster = "fd00:100::/56";

test("a Service of two families has a way in of each, to endpoints of the same", () => {
  const slices = [slice([ready("10.0.0.2")]), sixSlice("fd00:100::2")];
  const rulesOf = (where: typeof here | typeof six) => serviceRules(service(both), slices, where);
  const ways = (where: typeof here | typeof six) =>
    rulesOf(where).map(({ frontends, backends }) => [frontends[0]!.address, backends[0]!.address]);
  assert.deepEqual(ways(here), [["10.150.0.5", "10.0.0.2"]]);
  assert.deepEqual(ways(six), [["fd00:150::5", "fd00:100::2"]]);
  const alone = { type: "NodePort", ports: [{ protocol: "TCP", port: 80, nodePort: 30_080 }] };
  assert.deepEqual(serviceRules(service(alone), slices, six), [], "not even its node port");
});

test("rules of IPv6 say the same in its words", () => {
  const spec = {
    ...balancer({ loadBalancerSourceRanges: ["192.0.2.0/28", "2001:db8::/32"] }),
    ...both,
    externalIPs: ["2001:db8::7", "192.0.2.7"],
    ...affine(90),
  };
  const backends = [sixSlice("fd00:100::2", "fd00:100::3")];
  const of = { ...service(spec), status: at("2001:db8::9") };
  const ruleset = rulesetOf(serviceRules(of, backends, six), sixCluster);
  const commands = changeCommands("t", ruleset, emptyRuleset("IPv6"));
  assert.ok(commands.every((command) => / ip6 t /.test(command)));
  const keys = ["fd00:150::5", "2001:db8::7", "2001:db8::9"];
  assert.deepEqual(
    [...ruleset.services.keys()],
    keys.map((key) => `${key} . tcp . 80`),
  );
  assert.ok(ruleset.nodeports.has("tcp . 30080"));
  const texts = [...ruleset.chains.values()].flat();
  assert.ok(texts.includes("ip6 saddr != { 2001:db8::/32 } drop"));
  assert.ok(texts.some((text) => /ip6 saddr map @aff-/.test(text)));
  assert.ok(texts.some((text) => /dnat ip6 to meta mark map .* fd00:100::3 \. 8080/.test(text)));
  const alone = rulesetOf(serviceRules(of, [sixSlice("fd00:100::2")], six), sixCluster);
  assert.match([...alone.chains.values()].flat().join(), /dnat ip6 to \[fd00:100::2\]:8080/);
  const table = tableCommands("t", { podCidr: "fd00:100::/64", clusterCidr: sixCluster });
  assert.ok(table.every((command) => / ip6 t\b/.test(command) && !/ipv4|127\.0/.test(command)));
});

test("what no connection of a pod expects reaches no client untranslated", () => {
  for (const [ip, podCidr, clusterCidr] of [
    ["ip", "10.100.0.0/24", "10.100.0.0/16"],
    ["ip6", "fd00:100::/64", sixCluster],
  ] as const) {
    const table = tableCommands("t", { podCidr, clusterCidr });
    for (const hook of ["forward", "input"]) {
      const dropped = `add rule ${ip} t refuse-${hook} ct state invalid ${ip} saddr ${clusterCidr} drop`;
      assert.ok(table.includes(dropped), dropped);
    }
  }
});

test("only those of its own family may use an address, also when ranges name none of it", () => {
  const spec = { ...balancer({ loadBalancerSourceRanges: ["192.0.2.0/28"] }), ...both };
  const of = { ...service(spec), status: at("2001:db8::9") };
  const ruleset = rulesetOf(serviceRules(of, [sixSlice("fd00:100::2")], six), sixCluster);
  assert.match([...ruleset.chains.values()].flat().join(), /ip6 saddr != \{ :: \} drop/);
});

test("flows of UDP over IPv6 and of SCTP are of their family too", () => {
  const ports = [{ protocol: "UDP", port: 53 }];
  const flows = (address: string) => {
    const slices = [{ ...sixSlice(address), ports: [{ protocol: "UDP", port: 53 }] }];
    return rulesetOf(serviceRules(service({ ...both, ports }), slices, six), sixCluster);
  };
  const words = "-D -f ipv6 -p udp --orig-dst fd00:150::5 --orig-port-dst 53 --dst-nat fd00:100::2";
  assert.deepEqual(endedFlows(flows("fd00:100::3"), flows("fd00:100::2")), [words.split(" ")]);
  const sctp = [{ protocol: "SCTP", port: 80 }];
  const slices = [{ ...sixSlice("fd00:100::2"), ports: [{ protocol: "SCTP", port: 9000 }] }];
  const { chains } = rulesetOf(
    serviceRules(service({ ...both, ports: sctp }), slices, six),
    sixCluster,
  );
  assert.match([...chains.values()].join(), /meta l4proto sctp dnat ip6 to \[fd00:100::2\]:9000/);
});

test("a hostPort leads to the pod's address of the family that was asked", () => {
  const pod = (hostIP: string) =>
    ({
      metadata: { name: "p", namespace: "default" },
      spec: {
        nodeName: "a",
        containers: [{ ports: [{ containerPort: 80, hostPort: 8080, hostIP }] }],
      },
      status: { podIP: "10.0.0.7", podIPs: [{ ip: "10.0.0.7" }, { ip: "fd00:100::7" }] },
    }) as any;
  const backendsOf = (hostIP: string) =>
    [here, six].map((where) => hostPortRules([pod(hostIP)], where)[0]?.backends[0]?.address);
  assert.deepEqual(backendsOf(""), ["10.0.0.7", "fd00:100::7"]);
  assert.deepEqual(backendsOf("0.0.0.0"), ["10.0.0.7", undefined]);
  assert.deepEqual(backendsOf("2001:db8::1"), [undefined, "fd00:100::7"]);
});

test("a pod of two families is one endpoint to a load balancer", () => {
  const spec = balancer({ externalTrafficPolicy: "Local", healthCheckNodePort: 32_000 });
  const slices = [slice([ready("10.0.0.2")]), sixSlice("fd00:100::2")];
  assert.equal(healthChecksOf([service(spec)], () => slices, ["a"])[0]!.localEndpoints, 1);
});
