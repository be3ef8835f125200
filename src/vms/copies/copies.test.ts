import assert from "node:assert/strict";
import { test } from "node:test";
import { clonePatches, planClone } from "./clone-plan.ts";
import { expiresAtMs, exportedDisks, exportLinks, parseExportPath } from "./export-plan.ts";
import { restoredMachine, restoredSpec } from "./restored-machine.ts";
import { asStarted, contentOf, copiesClaim } from "./snapshot-content.ts";

const meta = (name: string) => ({
  name,
  uid: `uid-${name}`,
  namespace: "shop",
  resourceVersion: "1",
  creationTimestamp: "",
});
const vm = (spec: object = {}): any => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachine",
  metadata: {
    ...meta("till"),
    labels: { app: "till", tier: "one" },
    annotations: { "kubectl.kubernetes.io/x": "y" },
  },
  spec: {
    runStrategy: "Always",
    dataVolumeTemplates: [{ metadata: { name: "root-dv" } }, { metadata: { name: "other" } }],
    template: {
      spec: {
        domain: {
          firmware: { uuid: "u" },
          devices: { interfaces: [{ name: "net", macAddress: "02:00:00:00:00:01" }] },
        },
        volumes: [
          { name: "root", dataVolume: { name: "root-dv" } },
          { name: "seed", cloudInitNoCloud: { userData: "x" } },
        ],
      },
    },
    ...spec,
  },
});
const claim = (name: string, storage: string): any => ({
  metadata: meta(name),
  spec: { storageClassName: "local-path", volumeName: "pv", resources: { requests: { storage } } },
});
const snapshot: any = {
  apiVersion: "snapshot.kubevirt.io/v1beta1",
  kind: "VirtualMachineSnapshot",
  metadata: meta("snap"),
  spec: { source: {} },
};
const disks = [{ volume: "root", claim: claim("root-dv", "1Gi") }];

test("a snapshot keeps the machine and has room for its disks", () => {
  const content = contentOf(snapshot, vm(), disks);
  const { source, volumeBackups } = content["spec"];
  assert.equal(source.virtualMachine.metadata.name, "till");
  assert.equal(volumeBackups[0].volumeSnapshotName, "vmsnapshot-uid-snap/root.img");
  assert.equal("volumeName" in volumeBackups[0].persistentVolumeClaim.spec, false);
  const claims = copiesClaim(content as any, "copies", disks);
  assert.ok(Number(claims["spec"].resources.requests.storage) > 2 ** 30);
  assert.equal(content.metadata?.ownerReferences?.length, 1);
  const kept = { ...snapshot, spec: { source: {}, deletionPolicy: "Retain" } };
  assert.equal(contentOf(kept, vm(), disks).metadata?.ownerReferences, undefined);
});

test("a snapshot of a machine that runs keeps what its guest was started with, and the disks of now", () => {
  const edited = vm();
  edited.spec.template.spec.domain.memory = { guest: "2Gi" };
  edited.spec.template.spec.volumes.push({ name: "more", persistentVolumeClaim: {} });
  edited.spec.template.spec.domain.devices.disks = [{ name: "more" }];
  const { spec, metadata } = asStarted(edited, vm().spec);
  assert.equal(metadata.name, "till");
  const { domain, volumes } = spec.template.spec;
  assert.equal(domain.memory, undefined);
  assert.equal(domain.firmware.uuid, "u");
  assert.deepEqual(domain.devices.disks, [{ name: "more" }]);
  assert.equal(volumes.length, 3);
});

const content = { spec: { source: { virtualMachine: vm() } } } as any;
const restored = { content, claims: { root: "restored-root" }, patches: [] };

test("a restored machine has the restored claims, and runs when it did", () => {
  const target = vm({ runStrategy: undefined, running: false });
  const spec = restoredSpec(target, restored);
  assert.deepEqual(spec.template.spec.volumes[0], {
    name: "root",
    persistentVolumeClaim: { claimName: "restored-root" },
  });
  assert.deepEqual(spec.dataVolumeTemplates, [{ metadata: { name: "other" } }]);
  assert.deepEqual([spec.running, spec.runStrategy], [false, undefined]);
});

test("a machine of another name is another machine", () => {
  const patches = [JSON.stringify({ op: "add", path: "/metadata/labels/new", value: "yes" })];
  const twin = restoredMachine("twin", { ...restored, patches });
  assert.deepEqual(twin.metadata, {
    name: "twin",
    labels: { app: "till", tier: "one", new: "yes" },
    annotations: {},
  });
  assert.equal(twin["spec"].runStrategy, "Halted");
  const { domain } = twin["spec"].template.spec;
  assert.deepEqual(domain, { firmware: {}, devices: { interfaces: [{ name: "net" }] } });
  assert.throws(() => restoredMachine("twin", { ...restored, patches: ["{"] }), /spec.patches/);
});

test("a clone goes from snapshot to restore to machine, and says what stops it", () => {
  const clone = (spec: object = {}): any => ({
    metadata: meta("c"),
    spec: { source: { kind: "VirtualMachine", name: "till" }, ...spec },
  });
  const seen = {
    clone: clone(),
    source: vm(),
    snapshot: undefined,
    restore: undefined,
    target: undefined,
  };
  const ready: any = { metadata: meta("s"), status: { readyToUse: true, phase: "Succeeded" } };
  const restore = (status: object): any => ({ metadata: meta("r"), status });
  const cases: [string, object, string, string | undefined][] = [
    ["at first", {}, "SnapshotInProgress", "snapshot"],
    [
      "meanwhile",
      { snapshot: { metadata: meta("s"), status: {} } },
      "SnapshotInProgress",
      undefined,
    ],
    ["copied", { snapshot: ready }, "RestoreInProgress", "restore"],
    ["restoring", { snapshot: ready, restore: restore({}) }, "RestoreInProgress", undefined],
    [
      "done",
      { snapshot: ready, restore: restore({ complete: true }), target: vm() },
      "Succeeded",
      undefined,
    ],
    ["no source", { source: undefined }, "Failed", undefined],
    ["a target that is there", { target: vm() }, "Failed", undefined],
    [
      "a failed snapshot",
      { snapshot: { metadata: meta("s"), status: { phase: "Failed" } } },
      "Failed",
      undefined,
    ],
    ["another kind", { clone: clone({ source: { kind: "Pod", name: "x" } }) }, "Failed", undefined],
    [
      "names that we do not make",
      { clone: clone({ volumeNamePolicy: "PrefixTargetName" }) },
      "Failed",
      undefined,
    ],
  ];
  for (const [name, change, phase, make] of cases) {
    const plan = planClone({ ...seen, ...change });
    assert.deepEqual([plan.phase, plan.make], [phase, make], name);
  }
  const patches = clonePatches(
    clone({
      newMacAddresses: { net: "02:00:00:00:00:02" },
      newSMBiosSerial: "s",
      labelFilters: ["*", "!tier"],
    }),
    vm(),
  ).map((text) => JSON.parse(text));
  assert.deepEqual(patches, [
    { op: "add", path: "/metadata/labels", value: { app: "till" } },
    {
      op: "add",
      path: "/spec/template/spec/domain/devices/interfaces/0/macAddress",
      value: "02:00:00:00:00:02",
    },
    { op: "add", path: "/spec/template/spec/domain/firmware", value: { serial: "s" } },
  ]);
});

test("an export names its disks, leads to them and ends", () => {
  const exported: any = {
    metadata: { ...meta("out"), creationTimestamp: "2030-01-01T00:00:00Z" },
    spec: {},
  };
  assert.deepEqual(exportedDisks("VirtualMachine", vm()), [
    { name: "root-dv", claim: "root-dv", file: "disk.img" },
  ]);
  const copied = { spec: { volumeBackups: [{ volumeName: "root" }] } } as any;
  assert.deepEqual(exportedDisks("VirtualMachineSnapshot", snapshot, copied), [
    { name: "root", claim: "vmsnapshot-uid-snap", file: "root.img" },
  ]);
  assert.equal(exportedDisks("Pod", vm()), undefined);
  const disks = exportedDisks("PersistentVolumeClaim", claim("data", "1Gi"))!;
  const { external } = exportLinks(
    { ...exported, spec: { source: { kind: "PersistentVolumeClaim" } } },
    disks,
    { url: "https://127.0.0.1:1", ca: "pem" },
  );
  const { url } = external.volumes[0]!.formats[1]!;
  const asked = { namespace: "shop", name: "out", volume: "data", file: "disk.img.gz" };
  assert.deepEqual(parseExportPath(new URL(url).pathname), asked);
  assert.equal(
    parseExportPath(
      "/api/export.kubevirt.io/v1/namespaces/a/virtualmachineexports/b/volumes/c/../../x",
    ),
    undefined,
  );
  assert.equal(expiresAtMs(exported), Date.parse("2030-01-01T02:00:00Z"));
  assert.equal(
    expiresAtMs({ ...exported, spec: { ttlDuration: "10m" } }),
    Date.parse("2030-01-01T00:10:00Z"),
  );
});
