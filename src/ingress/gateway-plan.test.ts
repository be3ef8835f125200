import assert from "node:assert/strict";
import { test } from "node:test";
import { planGateways, sharedHosts } from "./gateway-plan.ts";
import type { GatewayInput, Said } from "./gateway-plan.ts";
import { routeStatus } from "./gateway-status.ts";

const object = (kind: string, namespace: string, name: string, spec: object): any => ({
  apiVersion: "gateway.networking.k8s.io/v1",
  kind,
  metadata: { name, namespace, generation: 3, creationTimestamp: "2026-01-01T00:00:00Z" },
  spec,
});
const gateway = (listeners: object[]) => object("Gateway", "edge", "gw", { listeners });
const http = (more: object = {}) => ({ name: "web", port: 80, protocol: "HTTP", ...more });
const route = (namespace: string, spec: object) =>
  object("HTTPRoute", namespace, "r", {
    parentRefs: [{ name: "gw", namespace: "edge" }],
    rules: [{ backendRefs: [{ name: "shop", port: 80 }] }],
    ...spec,
  });

const plan = (input: Partial<GatewayInput>) =>
  planGateways({
    gateways: [gateway([http()])],
    routes: [],
    grants: [],
    namespaceLabels: () => ({ team: "shop" }),
    certificate: () => undefined,
    hasServicePort: (_, service, port) => service === "shop" && port === 80,
    portOf: (port) => (port === 6443 ? undefined : port),
    ...input,
  });
const reasons = (all: Said[]) => Object.fromEntries(all.map((one) => [one.type, one.reason]));
const judged = (input: Partial<GatewayInput>) =>
  reasons(plan(input).routes[0]!.parents[0]!.conditions);
const listened = (listener: object, more: Partial<GatewayInput> = {}) =>
  reasons(plan({ gateways: [gateway([listener])], ...more }).gateways[0]!.listeners[0]!.conditions);

test("names that a route and a listener share", () => {
  assert.deepEqual(sharedHosts("", ["a.example"]), ["a.example"]);
  assert.deepEqual(sharedHosts("*.example", ["a.example", "b.test"]), ["a.example"]);
  assert.deepEqual(sharedHosts("a.example", ["*.example"]), ["a.example"]);
  assert.deepEqual(sharedHosts("a.example", []), ["a.example"]);
  assert.equal(sharedHosts("a.example", ["b.example"]), undefined);
});

test("a route attaches where its namespace may and its names fit", () => {
  const { listeners, routes, gateways } = plan({ routes: [route("edge", {})] });
  assert.deepEqual(reasons(routes[0]!.parents[0]!.conditions), {
    Accepted: "Accepted",
    ResolvedRefs: "ResolvedRefs",
  });
  assert.equal(listeners[0]!.routes[0]!.backends[0]!.service, "shop");
  assert.equal(gateways[0]!.listeners[0]!.attachedRoutes, 1);
  const other = [route("shop", {})];
  assert.equal(judged({ routes: other })["Accepted"], "NotAllowedByListeners");
  const selector = { from: "Selector", selector: { matchLabels: { team: "shop" } } };
  const open = [gateway([http({ allowedRoutes: { namespaces: selector } })])];
  assert.equal(judged({ routes: other, gateways: open })["Accepted"], "Accepted");
  const named = [gateway([http({ hostname: "a.example" })])];
  const away = [route("edge", { hostnames: ["b.example"] })];
  assert.equal(judged({ routes: away, gateways: named })["Accepted"], "NoMatchingListenerHostname");
  const section = [
    route("edge", { parentRefs: [{ name: "gw", namespace: "edge", sectionName: "x" }] }),
  ];
  assert.equal(judged({ routes: section })["Accepted"], "NoMatchingParent");
});

test("a backend that cannot be is said, and its share of requests leads nowhere", () => {
  const backendRefs = [
    { name: "shop", port: 80, weight: 3 },
    { name: "gone", port: 80, weight: 1 },
  ];
  const routes = [route("edge", { rules: [{ backendRefs }] })];
  assert.equal(judged({ routes })["ResolvedRefs"], "BackendNotFound");
  const [made] = plan({ routes }).listeners[0]!.routes;
  assert.deepEqual([made!.backends[0]!.weight, made!.lostWeight], [3, 1]);
  const foreign = [
    route("edge", { rules: [{ backendRefs: [{ name: "shop", namespace: "b", port: 80 }] }] }),
  ];
  assert.equal(judged({ routes: foreign })["ResolvedRefs"], "RefNotPermitted");
  const from = [{ group: "gateway.networking.k8s.io", kind: "HTTPRoute", namespace: "edge" }];
  const grants = [
    object("ReferenceGrant", "b", "g", { from, to: [{ group: "", kind: "Service" }] }),
  ];
  assert.equal(judged({ routes: foreign, grants })["ResolvedRefs"], "ResolvedRefs");
});

test("what is not served is refused by name", () => {
  const mirror = [{ filters: [{ type: "RequestMirror" }] }];
  const { parents } = plan({ routes: [route("edge", { rules: mirror })] }).routes[0]!;
  assert.match(parents[0]!.conditions[0]!.message!, /RequestMirror/);
  assert.equal(
    listened({ name: "t", port: 9, protocol: "TCP" })["Accepted"],
    "UnsupportedProtocol",
  );
  assert.equal(listened(http({ port: 6443 }))["Accepted"], "PortUnavailable");
  const tls = {
    name: "s",
    port: 443,
    protocol: "HTTPS",
    tls: { certificateRefs: [{ name: "c" }] },
  };
  assert.equal(listened(tls)["ResolvedRefs"], "InvalidCertificateRef");
  assert.equal(
    listened(tls, { certificate: () => ({ cert: "c", key: "k" }) })["Programmed"],
    "Programmed",
  );
  const twice = plan({ gateways: [gateway([http(), http({ name: "again" })])] }).gateways[0]!;
  assert.equal(reasons(twice.listeners[0]!.conditions)["Accepted"], "HostnameConflict");
});

test("what others say of a route stays, and what did not change keeps its time", () => {
  const [planned] = plan({ routes: [route("edge", {})] }).routes;
  const theirs = { controllerName: "example.com/other", parentRef: { name: "x" }, conditions: [] };
  planned!.route.status = { parents: [theirs] };
  const first = routeStatus(planned!, 1_800_000_000_000);
  assert.equal(first.parents.length, 2);
  planned!.route.status = first;
  assert.deepEqual(routeStatus(planned!, 1_900_000_000_000), first);
});
