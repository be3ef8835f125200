import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../kinds/object.ts";
import { conflictOf, ingressOf, isOurs, loadBalancerClass } from "./service-load-balancer.ts";

const service = (name: string, port: number, more: object = {}, minute = 0) =>
  ({
    metadata: {
      name,
      namespace: "shop",
      uid: name,
      creationTimestamp: `2026-01-01T00:0${minute}:00Z`,
    },
    spec: { type: "LoadBalancer", ports: [{ port, protocol: "TCP" }], ...more },
  }) as unknown as KubeObject;

const node = (name: string, addresses: object[], { ready = "True", labels = {} } = {}) =>
  ({
    metadata: { name, labels },
    status: { addresses, conditions: [{ type: "Ready", status: ready }] },
  }) as unknown as KubeObject;

const internal = (address: string) => ({ type: "InternalIP", address });
const external = (address: string) => ({ type: "ExternalIP", address });

test("a Service of another class is left to others", () => {
  assert.equal(isOurs(service("a", 80)), true);
  assert.equal(isOurs(service("a", 80, { loadBalancerClass })), true);
  assert.equal(isOurs(service("a", 80, { loadBalancerClass: "example.com/other" })), false);
  assert.equal(isOurs(service("a", 80, { type: "NodePort" })), false);
});

test("of two that want a port the older has it, and none has the site's own", () => {
  const [first, second] = [service("first", 80), service("second", 80, {}, 1)];
  const none = new Set<number>();
  assert.equal(conflictOf(first, [first, second], none), undefined);
  assert.match(conflictOf(second, [first, second], none)!, /taken by Service shop\/first/);
  assert.match(conflictOf(first, [first], new Set([80]))!, /the site's own/);
  const udp = service("udp", 80, { ports: [{ port: 80, protocol: "UDP" }] }, 2);
  assert.equal(conflictOf(udp, [first, udp], none), undefined);
});

test("the addresses are those of nodes that are ready, from outside where they have one", () => {
  const excluded = { "node.kubernetes.io/exclude-from-external-load-balancers": "" };
  const nodes = [
    node("a", [internal("10.0.0.1"), external("192.0.2.1")]),
    node("b", [internal("192.0.2.2")]),
    node("c", [internal("192.0.2.3")], { ready: "Unknown" }),
    node("d", [internal("192.0.2.4")], { labels: excluded }),
  ];
  const ips = (more: object, slices: object[] = []) =>
    ingressOf(service("web", 80, more), nodes, slices as KubeObject[]).map(({ ip }) => ip);
  assert.deepEqual(ips({}), ["192.0.2.1", "192.0.2.2"]);
  const endpoints = [
    { nodeName: "b", conditions: { ready: true } },
    { nodeName: "a", conditions: { ready: false } },
  ];
  assert.deepEqual(ips({ externalTrafficPolicy: "Local" }, [{ endpoints }]), ["192.0.2.2"]);
});

test("a Service of two families has addresses of both, its own first", () => {
  const nodes = [
    node("a", [internal("10.0.0.1"), internal("fd00::1"), external("2001:db8::1")]),
    node("b", [internal("10.0.0.2")]),
  ];
  const ips = (ipFamilies: string[]) =>
    ingressOf(service("web", 80, { ipFamilies }), nodes, []).map(({ ip }) => ip);
  assert.deepEqual(ips(["IPv6", "IPv4"]), ["2001:db8::1", "10.0.0.1", "10.0.0.2"]);
  assert.deepEqual(ips(["IPv6"]), ["2001:db8::1"]);
});
