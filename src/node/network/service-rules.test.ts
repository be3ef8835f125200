import assert from "node:assert/strict";
import { test } from "node:test";
import { changeCommands, emptyRuleset, endedFlows, mergeRulesets, rulesetOf } from "./ruleset.ts";
import { healthAnswer, healthChecksOf } from "./health-checks.ts";
import { hostPortRules, serviceRules } from "./service-rules.ts";

const here = { nodes: ["a"], zone: "east" };

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
const none = emptyRuleset();

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
  const [a, b] = [rulesetFor({}, [ready("10.0.0.2")]), emptyRuleset()];
  b.services.set("10.150.0.5 . tcp . 80", "goto other");
  assert.notEqual(mergeRulesets([a, b]).services.get("10.150.0.5 . tcp . 80"), "goto other");
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
    ["a"],
  );
  assert.deepEqual(rest, []);
  assert.deepEqual(rule?.frontends, [{ protocol: "tcp", port: 8080 }]);
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
  const { services, chains } = rulesetOf(hostPortRules(pods, ["a"]), cluster);
  assert.equal(services.size, 3);
  assert.equal(chains.size, 3);
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
