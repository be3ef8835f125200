import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startDeviceCluster } from "../../../test/support/devices.ts";
import type { DeviceCluster } from "../../../test/support/devices.ts";
import { debugEcho } from "../handlers/debug-echo.ts";
import { configurations } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";

const namespace = "default";
const discoveryHandler = { name: "debugEcho", discoveryDetails: "descriptions: [foo0, foo1]" };
const configuration = {
  apiVersion: "akri.sh/v0",
  kind: "Configuration",
  metadata: { name: "akri-debug-echo-foo" },
  spec: { discoveryHandler },
};

let cluster: DeviceCluster;
beforeEach(async () => void (cluster = await startDeviceCluster()));
afterEach(() => cluster.scope.close());

test("what an agent of Akri's has left on objects does not hold them when they go", async () => {
  const { client } = cluster;
  await cluster.addNode("a", { handlers: [debugEcho] });
  await client.create({ ...configurations, namespace }, configuration);
  const [instance] = await cluster.until(instances, (all) => all.length === 2 && all);
  await cluster.until(configurations, (all) => all[0]?.status?.nodes?.length === 1);
  const hold = (of: typeof instances, kind: string, name: string, node: string) =>
    client.patch(
      { ...of, namespace, name },
      "apply",
      { apiVersion: "akri.sh/v0", kind, metadata: { name, finalizers: [node] } },
      { fieldManager: `${node}-fin` },
    );
  await hold(instances, "Instance", instance!.metadata.name, "a");
  await hold(configurations, "Configuration", "akri-debug-echo-foo", "a");
  await client.delete({ ...configurations, namespace, name: "akri-debug-echo-foo" });
  await cluster.until(configurations, (all) => all.length === 0);
  await cluster.until(instances, (all) => all.length === 0);
  await client.create({ ...configurations, namespace }, configuration);
  await cluster.until(configurations, (all) => all[0]?.status?.nodes?.length === 1);
  await hold(configurations, "Configuration", "akri-debug-echo-foo", "elsewhere");
  await client.delete({ ...configurations, namespace, name: "akri-debug-echo-foo" });
  await cluster.until(instances, (all) => all.length === 0);
  const [held] = (await client.list({ ...configurations, namespace })).items;
  assert.deepEqual(held?.metadata.finalizers, ["elsewhere"], "another's agent may be there");
});
