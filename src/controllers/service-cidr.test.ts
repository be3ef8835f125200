import assert from "node:assert/strict";
import { test } from "node:test";
import { startControlled } from "../../test/support/controllers.ts";
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { FakeClock } from "../lib/fake-clock.ts";
import { isStatus } from "../lib/status-error.ts";
import { ipAddress } from "./ip-address.ts";
import { heldBy, serviceCidr } from "./service-cidr.ts";

const cidrs = resource("networking.k8s.io/v1", "servicecidrs");
const addresses = resource("networking.k8s.io/v1", "ipaddresses");
const services = resource("v1", "services");
const inDefault = { ...services, namespace: "default" };

const cidr = (name: string, ...ranges: string[]) => ({
  apiVersion: "networking.k8s.io/v1",
  kind: "ServiceCIDR",
  metadata: { name },
  spec: { cidrs: ranges },
});
const service = (name: string, clusterIP?: string) => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name },
  spec: { ...(clusterIP && { clusterIP }), ports: [{ port: 80 }] },
});
const named = (objects: KubeObject[], name: string) =>
  objects.find(({ metadata }) => metadata.name === name);

test("a range holds the addresses that no other range covers", () => {
  const [wide, narrow] = [cidr("wide", "10.0.0.0/8"), cidr("narrow", "10.1.0.0/16")] as never[];
  const all = ["10.1.0.5", "10.2.0.5", "192.168.0.1"];
  assert.deepEqual(heldBy(wide!, [wide!, narrow!], all), ["10.2.0.5"]);
  assert.deepEqual(heldBy(narrow!, [wide!, narrow!], all), []);
  assert.deepEqual(heldBy(wide!, [wide!], all), ["10.1.0.5", "10.2.0.5"]);
});

test("a Service has its IPAddress from its first moment to its last", async (t) => {
  const { client, scope } = await startControlled([ipAddress]);
  t.after(() => scope.close());
  const created = await client.create(inDefault, service("web"));
  const { clusterIP } = created.spec!;
  const address = await client.get({ ...addresses, name: clusterIP });
  assert.deepEqual(address.spec!.parentRef, {
    group: "",
    resource: "services",
    namespace: "default",
    name: "web",
  });
  await assert.rejects(client.create(inDefault, service("other", clusterIP)), /already allocated/);
  await client.delete({ ...inDefault, name: "web" });
  await assert.rejects(client.get({ ...addresses, name: clusterIP }), (error) =>
    isStatus(error, "NotFound"),
  );
});

test("an IPAddress that was lost comes back, and one that was left goes", async (t) => {
  const clock = new FakeClock();
  const { client, scope, until } = await startControlled([ipAddress], { clock });
  t.after(() => scope.close());
  const { spec } = await client.create(inDefault, service("web"));
  await client.delete({ ...addresses, name: spec!.clusterIP });
  await until(addresses, (all) => named(all, spec!.clusterIP));
  const left = { parentRef: { group: "", resource: "services", namespace: "default", name: "x" } };
  const labels = { "ipaddress.kubernetes.io/managed-by": "ipallocator.k8s.io" };
  const draft = { apiVersion: "networking.k8s.io/v1", kind: "IPAddress", spec: left };
  await client.create(addresses, { ...draft, metadata: { name: "10.96.0.77", labels } });
  await client.create(addresses, { ...draft, metadata: { name: "10.96.0.78" } });
  await clock.advance(61_000);
  await until(addresses, (all) => !named(all, "10.96.0.77"));
  assert.ok(named((await client.list(addresses)).items, "10.96.0.78"), "not the allocator's");
});

test("a second range extends the first, and stays while its addresses are used", async (t) => {
  const { client, scope, until } = await startControlled([serviceCidr, ipAddress]);
  t.after(() => scope.close());
  await client.create(cidrs, cidr("kubernetes", "10.96.0.0/30"));
  await client.create(inDefault, service("one"));
  await client.create(inDefault, service("two"));
  await assert.rejects(client.create(inDefault, service("three")), /range 10.96.0.0\/30 is full/);
  await client.create(cidrs, cidr("more", "10.97.0.0/24"));
  const isReady = (object: KubeObject | undefined, status: string) =>
    object?.["status"]?.conditions?.some(
      (one: any) => one.type === "Ready" && one.status === status,
    );
  await until(cidrs, (all) => isReady(named(all, "more"), "True"));
  const { spec } = await client.create(inDefault, service("three"));
  assert.match(spec!.clusterIP, /^10\.97\.0\./);
  await client.delete({ ...cidrs, name: "more" });
  const going = await until(cidrs, (all) => {
    const more = named(all, "more");
    return isReady(more, "False") && more;
  });
  assert.equal(going["status"].conditions[0].reason, "Terminating");
  await assert.rejects(client.create(inDefault, service("four")), /is full/);
  await client.delete({ ...inDefault, name: "three" });
  await until(cidrs, (all) => !named(all, "more"));
});

test("an address of IPv6 has one IPAddress, however the Service writes it", async (t) => {
  const clock = new FakeClock();
  const { client, scope, until } = await startControlled([ipAddress], {
    clock,
    serviceCidrs: ["fd00:96::/112"],
  });
  t.after(() => scope.close());
  const draft = service("six");
  await client.create(inDefault, { ...draft, spec: { ...draft.spec, clusterIP: "FD00:96:0::20" } });
  await client.delete({ ...addresses, name: "fd00:96::20" });
  await until(addresses, (all) => named(all, "fd00:96::20"));
  await clock.advance(61_000);
  const names = (await client.list(addresses)).items.map(({ metadata }) => metadata.name);
  assert.deepEqual(names, ["fd00:96::20"]);
  const again = { apiVersion: "networking.k8s.io/v1", kind: "IPAddress", spec: {} };
  const odd = { ...again, metadata: { name: "fd00:96:0::21" } };
  await assert.rejects(client.create(addresses, odd), /canonical form \("fd00:96::21"\)/);
});
