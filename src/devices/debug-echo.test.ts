// Akri's first sample, from Configuration to brokers and Services.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { startDeviceCluster } from "../../test/support/devices.ts";
import type { DeviceCluster } from "../../test/support/devices.ts";
import { resource } from "../client/client.ts";
import type { KubeObject } from "../kinds/object.ts";
import { availabilityFile, debugEcho } from "./handlers/debug-echo.ts";
import { configurations } from "./kinds/configuration.ts";
import { instances } from "./kinds/instance.ts";

const pods = resource("v1", "pods");
const services = resource("v1", "services");
const namespace = "default";

const echo = (more: object = {}) => ({
  apiVersion: "akri.sh/v0",
  kind: "Configuration",
  metadata: { name: "akri-debug-echo-foo" },
  spec: {
    discoveryHandler: { name: "debugEcho", discoveryDetails: 'descriptions: ["foo0", "foo1"]\n' },
    brokerSpec: {
      brokerPodSpec: {
        containers: [
          { name: "broker", image: "nginx", resources: { limits: { "{{PLACEHOLDER}}": "1" } } },
        ],
      },
    },
    instanceServiceSpec: { ports: [{ name: "http", port: 6052, targetPort: 6052 }] },
    configurationServiceSpec: { ports: [{ name: "http", port: 6052, targetPort: 6052 }] },
    brokerProperties: {},
    capacity: 5,
    ...more,
  },
});

let cluster: DeviceCluster;
beforeEach(async () => void (cluster = await startDeviceCluster()));
afterEach(() => cluster.scope.close());

const names = (objects: KubeObject[]) => objects.map(({ metadata }) => metadata.name).sort();
const brokersOnly = (all: KubeObject[]) => all.filter((one) => one.metadata.labels?.["app"]);

const untilNames = (of: typeof pods, wanted: string[]) =>
  cluster.until(of, (all) => {
    const own = of === instances ? all : brokersOnly(all);
    return JSON.stringify(names(own)) === JSON.stringify(wanted) && own;
  });

async function run(all: KubeObject[]) {
  for (const { metadata } of all) {
    const target = { ...pods, namespace, name: metadata.name, subresource: "status" };
    await cluster.client.patch(target, "merge", { status: { phase: "Running" } });
  }
}

const podNames = ["a-akri-debug-echo-foo-8120fe-pod", "a-akri-debug-echo-foo-a19705-pod"];

test("two devices get two brokers and three Services, and lose them while they are offline", async () => {
  const { client } = cluster;
  const { directory } = await cluster.addNode("a", { handlers: [debugEcho] });
  await client.create({ ...configurations, namespace }, echo());
  const found = await untilNames(instances, [
    "akri-debug-echo-foo-8120fe",
    "akri-debug-echo-foo-a19705",
  ]);
  assert.deepEqual(found[0]!.spec, {
    configurationName: "akri-debug-echo-foo",
    cdiName: "akri.sh/akri-debug-echo-foo=8120fe",
    capacity: 5,
    brokerProperties: { DEBUG_ECHO_DESCRIPTION: "foo0" },
    shared: true,
    nodes: ["a"],
    deviceUsage: {},
  });
  const brokers = await untilNames(pods, podNames);
  const { limits } = brokers[0]!.spec.containers[0].resources;
  assert.deepEqual(limits, { "akri.sh/akri-debug-echo-foo-8120fe": "1" });
  await run(brokers);
  await untilNames(services, [
    "akri-debug-echo-foo-8120fe-svc",
    "akri-debug-echo-foo-a19705-svc",
    "akri-debug-echo-foo-svc",
  ]);

  await writeFile(join(directory, availabilityFile), "OFFLINE\n");
  await untilNames(instances, []);
  await untilNames(pods, []);
  await untilNames(services, []);

  await writeFile(join(directory, availabilityFile), "ONLINE\n");
  await untilNames(pods, podNames);
});

test("a device that two nodes see is one Instance, and stays while one of them sees it", async () => {
  await cluster.addNode("a", { handlers: [debugEcho] });
  const b = await cluster.addNode("b", { handlers: [debugEcho] });
  const one = { discoveryHandler: { name: "debugEcho", discoveryDetails: "descriptions: [foo0]" } };
  await cluster.client.create({ ...configurations, namespace }, echo(one));
  const nodesAre = (wanted: string[]) =>
    cluster.until(instances, (all) => {
      const nodes = [...(all[0]?.spec.nodes ?? [])].sort();
      return all.length === 1 && JSON.stringify(nodes) === JSON.stringify(wanted);
    });
  await nodesAre(["a", "b"]);
  await untilNames(pods, [podNames[0]!, podNames[0]!.replace(/^a/, "b")]);
  await writeFile(join(b.directory, availabilityFile), "OFFLINE\n");
  await nodesAre(["a"]);
  await untilNames(pods, [podNames[0]!]);
});

test("details that cannot be read are said in the Configuration's status", async () => {
  await cluster.addNode("a", { handlers: [debugEcho] });
  const bad = { discoveryHandler: { name: "debugEcho", discoveryDetails: "descriptions: 7" } };
  await cluster.client.create({ ...configurations, namespace }, echo(bad));
  const entry = await cluster.until(configurations, (all) =>
    all[0]?.status?.nodes?.find((one: any) => one.reason === "InvalidDetails"),
  );
  assert.equal(entry.message, "discoveryDetails.descriptions: expected a list of strings");
});

test("a Configuration that goes takes all with it", async () => {
  await cluster.addNode("a", { handlers: [debugEcho] });
  await cluster.client.create({ ...configurations, namespace }, echo());
  await untilNames(pods, podNames);
  await cluster.client.delete({ ...configurations, namespace, name: "akri-debug-echo-foo" });
  await untilNames(instances, []);
  await untilNames(pods, []);
});

test("an ended broker is made anew", async () => {
  await cluster.addNode("a", { handlers: [debugEcho] });
  await cluster.client.create({ ...configurations, namespace }, echo());
  const [first] = await untilNames(pods, podNames);
  const { name, uid } = first!.metadata;
  const target = { ...pods, namespace, name, subresource: "status" };
  await cluster.client.patch(target, "merge", { status: { phase: "Failed" } });
  await cluster.until(pods, (all) =>
    all.some((one) => one.metadata.name === name && one.metadata.uid !== uid),
  );
});

test("of two Configurations of one name in two namespaces the elder is looked for", async () => {
  const { client } = cluster;
  await cluster.addNode("a", { handlers: [debugEcho] });
  await client.create({ ...configurations, namespace }, echo());
  await untilNames(pods, podNames);
  await client.create(resource("v1", "namespaces"), {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: "other" },
  });
  await client.create({ ...configurations, namespace: "other" }, echo());
  const taken = await cluster.until(configurations, (all) =>
    all.flatMap((one) => one.status?.nodes ?? []).find((one: any) => one.reason === "NameTaken"),
  );
  assert.match(taken.message, /akri-debug-echo-foo has this name/);
  await client.delete({ ...configurations, namespace, name: "akri-debug-echo-foo" });
  await cluster.until(
    instances,
    (all) => all.length === 2 && all.every((one) => one.metadata.namespace === "other"),
  );
});
