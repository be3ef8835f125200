import assert from "node:assert/strict";
import { test } from "node:test";
import { startServer } from "../../main/test-server.ts";
import { resource } from "../../client/client.ts";
import { vmDefinitions } from "./definitions.ts";

test("every kind of the wing is one that an API server takes, and says what is wrong by field", async () => {
  const server = await startServer({ listen: false });
  const client = server.client();
  const crds = resource("apiextensions.k8s.io/v1", "customresourcedefinitions");
  for (const definition of vmDefinitions) await client.create(crds, definition);
  const machines = { ...resource("kubevirt.io/v1", "virtualmachines"), namespace: "default" };
  const machine = (domain: object) => ({
    apiVersion: "kubevirt.io/v1",
    kind: "VirtualMachine",
    metadata: { name: "till" },
    spec: { running: false, template: { metadata: { creationTimestamp: null }, spec: { domain } } },
  });
  const strict = { fieldValidation: "Strict" } as const;
  await assert.rejects(
    client.create(machines, machine({}), strict),
    /template.spec.domain.devices/,
  );
  const unknown = machine({ devices: {}, memry: {} });
  await assert.rejects(client.create(machines, unknown, strict), /unknown field .*memry/);
  const good = machine({ devices: { disks: [{ name: "a" }] }, memory: { guest: "128Mi" } });
  const made = await client.create(machines, good, strict);
  assert.equal(made.spec.template.spec.domain.memory.guest, "128Mi");
  await server.close();
});
