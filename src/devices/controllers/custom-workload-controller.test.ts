import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import { startDeviceCluster } from "../../../test/support/devices.ts";
import type { DeviceCluster } from "../../../test/support/devices.ts";
import { eventually } from "../../../test/support/eventually.ts";
import { resource } from "../../client/client.ts";
import { debugEcho } from "../handlers/debug-echo.ts";
import { configurations } from "../kinds/configuration.ts";

const namespace = "default";

let cluster: DeviceCluster;
beforeEach(async () => void (cluster = await startDeviceCluster()));
afterEach(() => cluster.scope.close());

test("a broker of another's kind is made where it may be, and goes when another is wanted", async () => {
  const { client } = cluster;
  const definition = (kind: string) => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${kind.toLowerCase()}s.flows.example.com` },
    spec: {
      group: "flows.example.com",
      scope: "Namespaced",
      names: { kind, plural: `${kind.toLowerCase()}s` },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: { type: "object", "x-kubernetes-preserve-unknown-fields": true },
          },
        },
      ],
    },
  });
  const definitions = resource("apiextensions.k8s.io/v1", "customresourcedefinitions");
  for (const kind of ["Flow", "Forbidden"]) await client.create(definitions, definition(kind));
  const flows = resource("flows.example.com/v1", "flows");
  const listed = async () => (await client.list({ ...flows, namespace })).items;
  await eventually(() => listed().then(() => true), "the kind is served");
  await cluster.addNode("a", { handlers: [debugEcho] });
  const template = (kind: string) => ({
    apiVersion: "flows.example.com/v1",
    kind,
    spec: { device: "$(DEVICE)", resource: "$(RESOURCE)" },
  });
  await client.create(
    { ...configurations, namespace },
    {
      apiVersion: "akri.sh/v0",
      kind: "Configuration",
      metadata: { name: "echo" },
      spec: {
        discoveryHandler: { name: "debugEcho", discoveryDetails: "descriptions: [foo0, foo1]" },
        brokerSpec: { brokerTemplate: template("Flow") },
      },
    },
  );
  const made = await eventually(async () => {
    const all = await listed();
    return all.length === 2 && all;
  }, "an object per device");
  const names = made.map(({ metadata }) => metadata.name).sort();
  assert.deepEqual(names, ["echo-8120fe-broker", "echo-a19705-broker"]);
  assert.deepEqual(made.map((one) => one["spec"].device).sort(), ["8120fe", "a19705"]);
  const resources = made.map((one) => one["spec"].resource).sort();
  assert.deepEqual(resources, ["akri.sh/echo-8120fe", "akri.sh/echo-a19705"]);
  const target = { ...configurations, namespace, name: "echo" };
  await client.patch(target, "merge", {
    spec: { brokerSpec: { brokerTemplate: template("Forbidden") } },
  });
  await eventually(async () => (await listed()).length === 0, "none of the former kind");
  const events = resource("v1", "events");
  await cluster.until(events, (all) =>
    all.some(({ message }) => /system:akri-broker may not create.* forbiddens/.test(message)),
  );
});
