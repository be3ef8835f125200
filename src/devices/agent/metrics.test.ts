import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Registry } from "prom-client";
import { startDeviceCluster } from "../../../test/support/devices.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { resource } from "../../client/client.ts";
import { ownedSelector } from "../brokers/names.ts";
import { availabilityFile, debugEcho } from "../handlers/debug-echo.ts";
import { configurations } from "../kinds/configuration.ts";
import { instances } from "../kinds/instance.ts";
import { DeviceMetrics } from "./metrics.ts";

const brokerPodSpec = { containers: [{ name: "broker", image: "broker" }] };
const configuration = {
  apiVersion: "akri.sh/v0",
  kind: "Configuration",
  metadata: { name: "echo" },
  spec: {
    discoveryHandler: { name: "debugEcho", discoveryDetails: "descriptions: [one, two]" },
    brokerSpec: { brokerPodSpec },
  },
};

test("metrics follow devices and brokers as they come and go", async (context) => {
  const { client, informers, scope, addNode } = await startDeviceCluster();
  context.after(() => scope.close());
  const registry = new Registry();
  const metrics = new DeviceMetrics(registry, {
    instances: informers.get({ resource: instances }),
    brokers: informers.get({ resource: resource("v1", "pods"), labelSelector: ownedSelector }),
  });
  const lines = async () => (await registry.metrics()).split("\n");
  const shows = (line: string) => eventually(async () => (await lines()).includes(line), line);
  const { directory } = await addNode("a", { handlers: [debugEcho], metrics });
  await client.create({ ...configurations, namespace: "default" }, configuration);
  await shows('akri_instance_count{configuration="echo",is_shared="true"} 2');
  await shows('akri_broker_pod_count{configuration="echo",node=""} 2');
  await shows('akri_discovery_response_time_count{configuration="echo"} 1');
  const answered =
    'akri_discovery_response_result{discovery_handler_name="debugEcho",result="success"}';
  await shows(`${answered} 1`);
  await writeFile(join(directory, availabilityFile), "OFFLINE");
  const isLeft = (line: string) => /^akri_(instance|broker_pod)_count\{/.test(line);
  await eventually(async () => !(await lines()).some(isLeft), "no device and no broker");
  await shows(`${answered} 2`);
});
