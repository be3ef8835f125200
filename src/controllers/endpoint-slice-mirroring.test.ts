import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { Cluster } from "../../test/support/cluster.ts";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import { endpointSliceMirroringController, planMirror } from "./endpoint-slice-mirroring.ts";
import { endpointSlices, services } from "./endpoint-slice.ts";

const endpoints = { ...resource("v1", "endpoints"), namespace: "default" };
const metadata = { name: "custom", namespace: "default" };
const object = (subsets: object[], more: object = {}): any => ({
  apiVersion: "v1",
  kind: "Endpoints",
  metadata: { ...metadata, ...more },
  subsets,
});

let cluster: Cluster;
beforeEach(async () => (cluster = await startControlled([endpointSliceMirroringController])));
afterEach(() => cluster.scope.close());

const service = (spec: object = {}) =>
  cluster.client.create(
    { ...services, namespace: "default" },
    { apiVersion: "v1", kind: "Service", metadata, spec: { ports: [{ port: 80 }], ...spec } },
  );
const addresses = () =>
  cluster
    .informer(endpointSlices)
    .list("default")
    .flatMap((slice) => (slice["endpoints"] as any[]).flatMap((one) => one.addresses));
const subset = (...ips: string[]) => ({
  addresses: ips.map((ip) => ({ ip })),
  ports: [{ port: 80 }],
});

test("Endpoints written by hand have slices that follow them", async () => {
  await service();
  await cluster.client.create(endpoints, object([subset("10.1.2.3")]));
  await cluster.until(endpointSlices, () => addresses().join() === "10.1.2.3");
  await cluster.client.update({ ...endpoints, name: "custom" }, object([subset("10.2.3.4")]));
  await cluster.until(endpointSlices, () => addresses().join() === "10.2.3.4");
  await cluster.client.delete({ ...endpoints, name: "custom" });
  await cluster.until(endpointSlices, (all) => all.length === 0);
});

test("Endpoints of a Service with a selector, or that say so, are not mirrored", async () => {
  const labels = { "endpointslice.kubernetes.io/skip-mirror": "true" };
  await service();
  await cluster.client.create(endpoints, object([subset("10.1.2.3")], { labels }));
  const other = { ...metadata, name: "other" };
  await cluster.client.create(
    { ...services, namespace: "default" },
    { apiVersion: "v1", kind: "Service", metadata: other, spec: { ports: [{ port: 80 }] } },
  );
  await cluster.client.create(endpoints, object([subset("10.9.9.9")], { name: "other" }));
  await cluster.until(endpointSlices, () => addresses().length > 0);
  assert.deepEqual(addresses(), ["10.9.9.9"]);
});

test("slices divide by ports and kind of address, and unready addresses stay unready", () => {
  const known = (subsets: object[]) =>
    ({ ...object(subsets), metadata: { ...metadata, uid: "u" } }) as any;
  const plan = planMirror(
    known([
      { ...subset("10.0.0.1", "fd00::1"), notReadyAddresses: [{ ip: "10.0.0.2" }] },
      { addresses: [{ ip: "10.0.0.3" }], ports: [{ name: "b", port: 81 }] },
    ]),
  );
  const seen = plan.map(({ addressType, ports, endpoints: found }) => [
    addressType,
    (ports as any[]).map((port) => port.port),
    (found as any[]).map((one) => [one.addresses[0], one.conditions.ready]),
  ]);
  assert.deepEqual(seen, [
    [
      "IPv4",
      [80],
      [
        ["10.0.0.1", true],
        ["10.0.0.2", false],
      ],
    ],
    ["IPv6", [80], [["fd00::1", true]]],
    ["IPv4", [81], [["10.0.0.3", true]]],
  ]);
});
