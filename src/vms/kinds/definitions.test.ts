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

/** As `kubectl get` shows them in a cluster of KubeVirt's: kind, short name, columns (wide ones in brackets). */
const shown: [kind: string, short: string, columns: string][] = [
  ["VirtualMachine", "vm", "Age Status Ready"],
  ["VirtualMachineInstance", "vmi", "Age Phase IP NodeName Ready (Live-Migratable) (Paused)"],
  ["VirtualMachineInstanceMigration", "vmim", "Phase VMI"],
  ["VirtualMachineInstanceReplicaSet", "vmirs", "Desired Current Ready Age"],
  ["KubeVirt", "kv", "Age Phase"],
  ["VirtualMachinePool", "vmpool", "Desired Current Ready Age"],
  [
    "VirtualMachineSnapshot",
    "vmsnapshot",
    "SourceKind SourceName Phase ReadyToUse CreationTime Error",
  ],
  ["VirtualMachineSnapshotContent", "vmsnapshotcontent", "ReadyToUse CreationTime Error"],
  ["VirtualMachineClone", "vmclone", "Phase SourceVirtualMachine TargetVirtualMachine"],
  ["MigrationPolicy", "", ""],
  ["VirtualMachineInstancetype", "vmf", ""],
  ["VirtualMachineClusterInstancetype", "vmcf", ""],
  ["VirtualMachinePreference", "vmp", ""],
  ["VirtualMachineClusterPreference", "vmcp", ""],
  ["DataVolume", "dv", "Phase Progress Restarts Age"],
  ["DataImportCron", "dic", "Format Age"],
  ["DataSource", "das", "Age"],
  ["CDI", "cdi", "Age Phase"],
];
const notInAll = ["VirtualMachineClusterInstancetype", "VirtualMachineClusterPreference", "CDI"];

test("kubectl shows each kind by the names and columns of KubeVirt's, and lists it among `all`", () => {
  const definitions = new Map(vmDefinitions.map((one: any) => [one.spec.names.kind, one.spec]));
  for (const [kind, short, columns] of shown) {
    const { names, versions } = definitions.get(kind)!;
    assert.ok(short === "" || names.shortNames.includes(short), kind);
    assert.equal(names.categories?.includes("all") ?? false, !notInAll.includes(kind), kind);
    const titles = versions[0].additionalPrinterColumns.map((one: any) =>
      one.priority ? `(${one.name})` : one.name,
    );
    assert.equal(titles.join(" "), columns, kind);
  }
});

test("manifests of KubeVirt's older versions are taken, and their writers told", async () => {
  const server = await startServer({ listen: false });
  const client = server.client();
  const crds = resource("apiextensions.k8s.io/v1", "customresourcedefinitions");
  for (const definition of vmDefinitions) await client.create(crds, definition);
  const old = { ...resource("kubevirt.io/v1alpha3", "virtualmachines"), namespace: "default" };
  const spec = { running: false, template: { spec: { domain: { devices: {} } } } };
  const apiVersion = "kubevirt.io/v1alpha3";
  await client.create(old, { apiVersion, kind: "VirtualMachine", metadata: { name: "old" }, spec });
  const now = { ...resource("kubevirt.io/v1", "virtualmachines"), namespace: "default" };
  assert.equal((await client.get({ ...now, name: "old" })).apiVersion, "kubevirt.io/v1");
  const kind = vmDefinitions.find((one: any) => one.spec.names.kind === "VirtualMachine") as any;
  const deprecated = kind.spec.versions.filter((one: any) => one.deprecated);
  assert.deepEqual(
    deprecated.map((one: any) => one.name),
    ["v1alpha3"],
  );
  await server.close();
});
