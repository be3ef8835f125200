import assert from "node:assert/strict";
import { test } from "node:test";
import { changeCommands, emptyRuleset, refusedElements, rulesetOf } from "./ruleset.ts";
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
  const [rule] = serviceRules([service({})], () => slices, here);
  assert.deepEqual(rule?.frontends, [{ address: "10.150.0.5", protocol: "tcp", port: 80 }]);
  assert.deepEqual(rule?.backends, [{ address: "10.0.0.2", port: 8080 }]);
});

test("terminating endpoints serve only while no other is ready", () => {
  const leaving = {
    addresses: ["10.0.0.3"],
    conditions: { ready: false, serving: true, terminating: true },
  };
  const backends = (endpoints: object[]) =>
    serviceRules([service({})], () => [slice(endpoints)], here)[0]!.backends.map((b) => b.address);
  assert.deepEqual(backends([leaving]), ["10.0.0.3"]);
  assert.deepEqual(backends([leaving, ready("10.0.0.2")]), ["10.0.0.2"]);
});

test("a NodePort with local policy leads only to this node's endpoints", () => {
  const spec = {
    externalTrafficPolicy: "Local",
    ports: [{ protocol: "TCP", port: 80, nodePort: 30080 }],
  };
  const slices = [slice([ready("10.0.0.2", "a"), ready("10.0.0.3", "b")])];
  const [inside, outside] = serviceRules([service(spec)], () => slices, here);
  assert.equal(inside!.backends.length, 2);
  assert.deepEqual(outside!.frontends, [{ protocol: "tcp", port: 30080 }]);
  assert.deepEqual(outside!.backends, [{ address: "10.0.0.2", port: 8080 }]);
});

test("headless and ExternalName Services need no rules", () => {
  const services = [service({ clusterIP: "None" }), service({ type: "ExternalName" }, "x")];
  assert.deepEqual(
    serviceRules(services, () => [], here),
    [],
  );
});

test("a change touches only what differs", () => {
  const state = (endpoints: object[]) => {
    const rules = serviceRules([service({})], () => [slice(endpoints)], here);
    return { ruleset: rulesetOf(rules), refused: refusedElements(rules) };
  };
  const empty = { ruleset: emptyRuleset(), refused: [] };
  const one = state([ready("10.0.0.2")]);
  const two = state([ready("10.0.0.2"), ready("10.0.0.3")]);
  assert.deepEqual(changeCommands("t", one, one), []);
  assert.equal(
    changeCommands("t", one, empty).filter((c) => c.startsWith("add element")).length,
    2,
  );
  const grown = changeCommands("t", two, one);
  assert.ok(grown.some((c) => c.startsWith("flush chain")));
  assert.ok(!grown.some((c) => c.includes(" services ")), "the map itself stays as it is");
  const gone = changeCommands("t", state([]), two);
  assert.ok(gone.some((c) => c === "add element ip t refused { 10.150.0.5 . tcp . 80 }"));
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
    serviceRules([service(spec)], () => [slice(endpoints)], here)[0]!.backends.map(
      (b) => b.address,
    );
  const [east, west] = [hinted("10.0.0.2", zone("east")), hinted("10.0.0.3", zone("west"))];
  assert.deepEqual(backends([east, west]), ["10.0.0.2"]);
  assert.deepEqual(backends([west]), ["10.0.0.3"]);
  assert.deepEqual(backends([east, west, ready("10.0.0.4")]).length, 3);
  const own = hinted("10.0.0.5", { ...zone("west"), forNodes: [{ name: "a" }] });
  const other = hinted("10.0.0.6", { ...zone("east"), forNodes: [{ name: "b" }] });
  assert.deepEqual(backends([own, other]), ["10.0.0.5"]);
});
