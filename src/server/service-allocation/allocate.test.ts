import assert from "node:assert/strict";
import { test } from "node:test";
import { startCluster } from "../../../test/support/cluster.ts";
import { resource } from "../../client/client.ts";

const services = { ...resource("v1", "services"), namespace: "default" };
const addresses = resource("networking.k8s.io/v1", "ipaddresses");

function cluster(t: { after(work: () => unknown): void }, ...serviceCidrs: string[]) {
  const { client, scope } = startCluster({ serviceCidrs });
  t.after(() => scope.close());
  const make = (name: string, spec: object) =>
    client.create(services, {
      apiVersion: "v1",
      kind: "Service",
      metadata: { name },
      spec: { ports: [{ port: 80 }], selector: { app: "web" }, ...spec },
    });
  const claimed = async () =>
    (await client.list(addresses)).items.map(({ metadata }) => [
      metadata.name,
      metadata.labels!["ipaddress.kubernetes.io/ip-family"],
    ]);
  return { client, make, claimed };
}

test("a Service of two families claims an address of each, and gives the second back", async (t) => {
  const { client, make, claimed } = cluster(t, "10.96.0.0/24", "fd00:96::/112");
  const { spec } = await make("web", { ipFamilyPolicy: "PreferDualStack" });
  assert.equal(spec.clusterIP, spec.clusterIPs[0]);
  assert.match(spec.clusterIPs.join(), /^10\.96\.0\.\d+,fd00:96::1\w+$/);
  assert.deepEqual(await claimed(), [
    [spec.clusterIPs[0], "IPv4"],
    [spec.clusterIPs[1], "IPv6"],
  ]);
  const target = { ...services, name: "web" };
  await client.patch(target, "merge", { spec: { ipFamilyPolicy: "SingleStack" } });
  assert.deepEqual(await claimed(), [[spec.clusterIPs[0], "IPv4"]]);
  const again = { ipFamilyPolicy: "RequireDualStack", clusterIPs: spec.clusterIPs };
  const back = await client.patch(target, "merge", { spec: again });
  assert.deepEqual(back.spec.clusterIPs, spec.clusterIPs);
  await client.delete(target);
  assert.deepEqual(await claimed(), []);
});

test("an address of IPv6 is one address however it is written", async (t) => {
  const { make, claimed } = cluster(t, "fd00:96::/112");
  const { spec } = await make("web", { clusterIP: "FD00:96:0:0::20" });
  assert.equal(spec.clusterIP, "FD00:96:0:0::20");
  assert.deepEqual(await claimed(), [["fd00:96::20", "IPv6"]]);
  await assert.rejects(make("other", { clusterIP: "fd00:96::20" }), /already allocated/);
  await assert.rejects(make("away", { clusterIP: "fd00:97::20" }), /not in the valid range/);
});
