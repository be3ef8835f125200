import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Cluster } from "../../test/support/cluster.ts";
import { startControlled } from "../../test/support/controllers.ts";
import { startKubelet } from "../../test/support/kubelet.ts";
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import {
  endpointSliceController,
  endpointSlices,
  planSlices,
  planWrites,
  services,
} from "./endpoint-slice.ts";
import { endpointsController, planSubsets } from "./endpoints.ts";

const pods = resource("v1", "pods");
const endpoints = resource("v1", "endpoints");
const namespace = "default";

const fixture = (kind: string, name: string, spec: object, status: object = {}): KubeObject => ({
  apiVersion: "v1",
  kind,
  metadata: { name, namespace, uid: name, resourceVersion: "1", creationTimestamp: "" },
  spec,
  status,
});
const service = (spec: object = {}) =>
  fixture("Service", "web", { selector: { app: "web" }, ports: [{ port: 80 }], ...spec });

interface PodFixture {
  ip?: string;
  ready?: boolean;
  deleting?: boolean;
  phase?: string;
  ports?: object[];
  spec?: object;
}
function pod(name: string, options: PodFixture = {}): KubeObject {
  const {
    ip = `10.0.0.${name.charCodeAt(0)}`,
    ready = true,
    deleting,
    phase = "Running",
  } = options;
  const containers = [{ name: "c", ports: options.ports ?? [] }];
  const conditions = [{ type: "Ready", status: ready ? "True" : "False" }];
  const spec = { nodeName: "n1", containers, ...options.spec };
  const object = fixture("Pod", name, spec, { phase, podIP: ip, conditions });
  if (deleting) object.metadata.deletionTimestamp = "now";
  return object;
}
const slicesOf = (
  of: KubeObject,
  members: KubeObject[],
  zoneOf: (node: string) => string | undefined = () => undefined,
) => planSlices(of, members, { addressType: "IPv4", zoneOf, all: () => [] });

const conditions: [string, PodFixture, object, object | undefined][] = [
  ["ready", {}, {}, { ready: true, serving: true, terminating: false }],
  ["not ready", { ready: false }, {}, { ready: false, serving: false, terminating: false }],
  ["ready and ending", { deleting: true }, {}, { ready: false, serving: true, terminating: true }],
  ["finished", { phase: "Succeeded" }, {}, undefined],
  ["without an address", { ip: "" }, {}, undefined],
  [
    "not ready, of a Service that publishes all",
    { ready: false },
    { publishNotReadyAddresses: true },
    { ready: true, serving: true, terminating: false },
  ],
];
for (const [what, options, spec, expected] of conditions) {
  test(`the endpoint of a pod that is ${what}`, () => {
    const [slice] = slicesOf(service(spec), [pod("a", options)]);
    assert.deepEqual(slice?.endpoints[0]?.conditions, expected);
  });
}

test("an endpoint names its pod, its node and zone, and its host name in a subdomain", () => {
  const spec = { hostname: "a-0", subdomain: "web" };
  const [slice] = slicesOf(service(), [pod("a", { spec })], () => "east");
  const [endpoint] = slice!.endpoints;
  assert.deepEqual(endpoint, {
    addresses: ["10.0.0.97"],
    conditions: { ready: true, serving: true, terminating: false },
    hostname: "a-0",
    nodeName: "n1",
    zone: "east",
    targetRef: { kind: "Pod", namespace, name: "a", uid: "a" },
  });
});

test("a named port that means different numbers divides the pods", () => {
  const http = (containerPort: number) => [{ name: "http", containerPort }];
  const named = service({ ports: [{ name: "web", port: 80, targetPort: "http" }] });
  const members = [pod("a", { ports: http(80) }), pod("b", { ports: http(8080) }), pod("c")];
  const slices = slicesOf(named, members);
  assert.deepEqual(
    slices.map(({ ports, endpoints: all }) => [ports, all.map((e) => e.targetRef.name)]),
    [
      [[{ name: "web", protocol: "TCP", port: 80 }], ["a"]],
      [[{ name: "web", protocol: "TCP", port: 8080 }], ["b"]],
      [[], ["c"]],
    ],
  );
  const subsets = planSubsets(named, members);
  assert.deepEqual(
    subsets.map(({ ports }) => ports),
    [[{ name: "web", protocol: "TCP", port: 80 }], [{ name: "web", protocol: "TCP", port: 8080 }]],
  );
});

test("a slice holds a hundred endpoints", () => {
  const members = Array.from({ length: 250 }, (_, i) =>
    pod("p", { ip: `10.0.${i >> 8}.${i & 255}` }),
  );
  const sizes = slicesOf(service(), members).map(({ endpoints: all }) => all.length);
  assert.deepEqual(sizes, [100, 100, 50]);
});

test("slices that are as wished stay, others are used again before any is made or deleted", () => {
  const [a] = slicesOf(service(), [pod("a")]);
  const [b] = slicesOf(service(), [pod("b")]);
  const slice = (name: string, of: object) => ({ ...fixture("EndpointSlice", name, {}), ...of });
  const known = [
    slice("one", a!),
    slice("two", { addressType: "IPv4", ports: [], endpoints: [] }),
    slice("three", {}),
  ];
  const plan = planWrites([a!, b!], known, []);
  assert.deepEqual(plan, { create: [], update: [{ slice: known[1], to: b }], delete: [known[2]] });
  const empty = { addressType: "IPv4", ports: [], endpoints: [] };
  assert.deepEqual(planWrites([], [], [empty]).create, [empty]);
});

let cluster: Cluster;
let lookAgain: () => void;
let healthy = true;
beforeEach(async () => {
  healthy = true;
  cluster = await startControlled([endpointSliceController, endpointsController]);
  lookAgain = startKubelet(cluster, { healthy: () => healthy });
});
afterEach(() => cluster.scope.close());

const createPod = (name: string) =>
  cluster.client.create(
    { ...pods, namespace },
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name, labels: { app: "web" } },
      spec: { nodeName: "n1", containers: [{ name: "web", image: "v1" }] },
    },
  );
const createService = () =>
  cluster.client.create(
    { ...services, namespace },
    {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name: "web", labels: { team: "a" } },
      spec: { selector: { app: "web" }, ports: [{ name: "http", port: 80, targetPort: 8080 }] },
    },
  );
const readyNames = (slices: KubeObject[]) =>
  slices
    .flatMap((slice) => slice["endpoints"] ?? [])
    .filter((endpoint) => endpoint.conditions.ready)
    .map((endpoint) => endpoint.targetRef.name)
    .sort()
    .join();
const untilReady = (names: string) =>
  cluster.until(endpointSlices, (all) => readyNames(all) === names && all);

test("a Service has one slice and one Endpoints, which follow its pods", async () => {
  await createService();
  await cluster.until(endpointSlices, (all) => all.length === 1 || undefined);
  await createPod("a");
  await createPod("b");
  const [slice] = await untilReady("a,b");
  assert.equal(slice!.metadata.labels!["kubernetes.io/service-name"], "web");
  assert.equal(
    slice!.metadata.labels!["endpointslice.kubernetes.io/managed-by"],
    "endpointslice-controller.k8s.io",
  );
  assert.equal(slice!.metadata.labels!["team"], "a");
  assert.deepEqual(slice!["ports"], [{ name: "http", protocol: "TCP", port: 8080 }]);
  await cluster.until(endpoints, ([web]) => web?.["subsets"]?.[0]?.addresses.length === 2 && web);
  await cluster.client.delete({ ...pods, namespace, name: "a" }, { gracePeriodSeconds: 0 });
  const left = await untilReady("b");
  assert.equal(left.length, 1);
  await cluster.until(endpoints, ([web]) => web?.["subsets"]?.[0]?.addresses.length === 1 && web);
  await cluster.client.delete({ ...services, namespace, name: "web" });
  await cluster.until(endpoints, (all) => all.length === 0 || undefined);
});

test("a pod that is not ready is listed as such until it is", async () => {
  healthy = false;
  await createService();
  const created = await createPod("a");
  const status = { phase: "Running", podIP: "10.1.1.1", podIPs: [{ ip: "10.1.1.1" }] };
  const target = { ...pods, namespace, name: created.metadata.name, subresource: "status" };
  await cluster.client.patch(target, "merge", { status });
  await cluster.until(endpoints, ([web]) => web?.["subsets"]?.[0]?.notReadyAddresses && web);
  assert.equal(readyNames(cluster.informer(endpointSlices).list()), "");
  const conditionsNow = [{ type: "Ready", status: "True" }];
  await cluster.client.patch(target, "merge", { status: { conditions: conditionsNow } });
  await untilReady("a");
  await cluster.until(endpoints, ([web]) => web?.["subsets"]?.[0]?.addresses && web);
  lookAgain();
});

test("a Service of two families has slices of each, and Endpoints of its own first", async () => {
  const podIPs = [{ ip: "10.0.0.9" }, { ip: "fd00::9" }];
  const member = pod("a");
  member.status = { ...member.status, podIP: "10.0.0.9", podIPs };
  const of = (ipFamilies: string[]) => service({ ipFamilies });
  const [six] = planSlices(of(["IPv6"]), [member], {
    addressType: "IPv6",
    zoneOf: () => undefined,
    all: () => [],
  });
  assert.deepEqual([six!.addressType, six!.endpoints[0]!.addresses], ["IPv6", ["fd00::9"]]);
  const firstOf = (ipFamilies: string[]) =>
    (planSubsets(of(ipFamilies), [member])[0]!.addresses![0] as { ip: string }).ip;
  assert.equal(firstOf(["IPv6", "IPv4"]), "fd00::9");
  assert.equal(firstOf(["IPv4"]), "10.0.0.9");
});
