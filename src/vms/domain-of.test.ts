import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../kinds/object.ts";
import { vmControl } from "./control.ts";
import { domainOf, macOf, overheadBytes } from "./domain-of.ts";
import { claimFacts } from "./instance/claim-facts.ts";
import { unsupported } from "./unsupported.ts";

const vmi = (spec: any): KubeObject => ({
  apiVersion: "kubevirt.io/v1",
  kind: "VirtualMachineInstance",
  metadata: {
    name: "shop",
    namespace: "till",
    uid: "u-1",
    resourceVersion: "1",
    creationTimestamp: "",
  },
  spec,
});

const of = (spec: any, blocks: string[] = []) =>
  domainOf(vmi(spec), { isBlock: (claim) => blocks.includes(claim) });

test("a VMI that says almost nothing is a small machine with one network", () => {
  const domain = of({ domain: { devices: {}, memory: { guest: "128Mi" } } });
  assert.equal(domain.machine, "q35");
  assert.deepEqual(domain.cpu, {
    sockets: 1,
    cores: 1,
    threads: 1,
    model: "host-model",
    features: [],
  });
  assert.equal(domain.memoryBytes, 128 * 2 ** 20);
  assert.deepEqual(
    domain.interfaces.map(({ name, binding }) => [name, binding]),
    [["default", "masquerade"]],
  );
  assert.deepEqual(of({ domain: { devices: { autoattachPodInterface: false } } }).interfaces, []);
});

test("memory and cores come from where the spec says them", () => {
  const rows: [any, number, number][] = [
    [{ memory: { guest: "64Mi" }, resources: { requests: { memory: "1Gi" } } }, 1, 64],
    [{ resources: { requests: { memory: "96Mi", cpu: "1500m" } } }, 2, 96],
    [{ resources: { limits: { memory: "80Mi" } }, cpu: { cores: 3 } }, 3, 80],
    [{}, 1, 512],
  ];
  for (const [domain, cpus, mebibytes] of rows) {
    const { cpu, memoryBytes } = of({ domain: { devices: {}, ...domain } });
    assert.equal(cpu.sockets * cpu.cores * cpu.threads, cpus);
    assert.equal(memoryBytes, mebibytes * 2 ** 20);
  }
});

test("each kind of volume is the disk that QEMU is to open", () => {
  const rows: [any, object][] = [
    [{ containerDisk: { image: "i" } }, { kind: "containerDisk" }],
    [{ persistentVolumeClaim: { claimName: "raw" } }, { kind: "block" }],
    [{ dataVolume: { name: "data" } }, { kind: "file", file: "disk.img" }],
    [
      { ephemeral: { persistentVolumeClaim: { claimName: "data" } } },
      { kind: "ephemeral", block: false },
    ],
    [{ emptyDisk: { capacity: "2Gi" } }, { kind: "emptyDisk", capacityBytes: 2 ** 31 }],
    [
      { hostDisk: { path: "/a/b.img", type: "DiskOrCreate", capacity: "1Ki" } },
      { kind: "file", file: "b.img", onHost: true, createBytes: 1024 },
    ],
    [
      { hostDisk: { path: "/a/b.img", type: "Disk" } },
      { kind: "file", file: "b.img", onHost: true },
    ],
    [
      { cloudInitNoCloud: { userDataBase64: "aGk=" } },
      { kind: "cloudInit", style: "noCloud", user: "hi" },
    ],
    [{ configMap: { name: "c", volumeLabel: "mine" } }, { kind: "files", label: "mine" }],
  ];
  for (const [source, expected] of rows) {
    const spec = { domain: { devices: {} }, volumes: [{ name: "v", ...source }] };
    assert.deepEqual(of(spec, ["raw"]).disks[0]!.source, expected);
  }
});

test("a claim that holds no disk gets one of its size, and a DataVolume's disk grows to it", () => {
  const find = (): any => ({
    metadata: {},
    spec: { accessModes: ["ReadWriteMany"], resources: { requests: { storage: "1Ki" } } },
  });
  const kind = (source: object) =>
    domainOf(
      vmi({ domain: { devices: {} }, volumes: [{ name: "v", ...source }] }),
      claimFacts(find),
    ).disks[0]!.source;
  const file = { kind: "file", file: "disk.img", shared: true };
  const claimName = "c";
  assert.deepEqual(kind({ persistentVolumeClaim: { claimName } }), {
    ...file,
    createBytes: 1024,
    growBytes: 1024,
  });
  assert.deepEqual(kind({ dataVolume: { name: "c" } }), { ...file, growBytes: 1024 });
});

test("a disk keeps its bus, order and mode; a volume without a disk gets one", () => {
  const { disks } = of({
    domain: {
      devices: {
        disks: [
          { name: "b", disk: { bus: "virtio" }, bootOrder: 1, cache: "none", serial: "S" },
          { name: "c", cdrom: {} },
        ],
        filesystems: [{ name: "d", virtiofs: {} }],
      },
    },
    volumes: ["a", "b", "c", "d"].map((name) => ({
      name,
      persistentVolumeClaim: { claimName: "x", ...(name === "a" && { readOnly: true }) },
    })),
  });
  assert.deepEqual(
    disks.map(({ name, device, bus, readOnly }) => [name, device, bus, readOnly]),
    [
      ["b", "disk", "virtio", false],
      ["c", "cdrom", "sata", true],
      ["a", "disk", "sata", true],
    ],
  );
  assert.equal(disks[0]!.serial, "S");
});

test("a replicated disk has no thread of its own", () => {
  const named = (name: string) => ({ name, persistentVolumeClaim: { claimName: name } });
  const spec = {
    domain: {
      ioThreadsPolicy: "shared",
      devices: {
        disks: ["a", "b"].map((name) => ({ name, disk: { bus: "virtio" } })),
      },
    },
    volumes: ["a", "b"].map(named),
  };
  const isReplicated = (claim: string) => claim === "b";
  const { disks } = domainOf(vmi(spec), { isBlock: () => false, isReplicated });
  assert.deepEqual(
    disks.map(({ ioThread }) => ioThread),
    ["io0", undefined],
  );
});

test("a VM has the same MAC and the same UUID at every start, and its own", () => {
  const { metadata } = vmi({});
  assert.match(macOf(metadata, "default"), /^02(:[0-9a-f]{2}){5}$/);
  assert.equal(macOf(metadata, "default"), macOf({ ...metadata, uid: "u-2" }, "default"));
  assert.notEqual(macOf(metadata, "default"), macOf({ ...metadata, name: "b" }, "default"));
  const { uuid } = of({ domain: { devices: {} } }).firmware;
  assert.match(uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-5[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
});

test("what a small VM needs beside its memory is below 80 MiB", () => {
  const domain = of({ domain: { devices: {}, memory: { guest: "128Mi" } } });
  assert.ok(overheadBytes(domain) < 80 * 2 ** 20);
});

test("what would be left out is refused by its field", () => {
  const rows: [any, string[]][] = [
    [{ domain: { devices: {} } }, []],
    [
      {
        domain: {
          cpu: { numa: { guestMappingPassthrough: {} } },
          devices: { sound: { name: "s" } },
        },
      },
      ["spec.domain.cpu.numa", "spec.domain.devices.sound"],
    ],
    [{ domain: { cpu: { model: "a,b=c" } } }, ["spec.domain.cpu.model"]],
    [{ domain: { machine: { type: "s390" } } }, ["spec.domain.machine.type"]],
    [{ domain: {}, volumes: [{ name: "m", memoryDump: {} }] }, ["spec.volumes[0].memoryDump"]],
    [
      {
        domain: { devices: { interfaces: [{ name: "a", sriov: {} }] } },
        networks: [{ name: "a", pod: {} }],
      },
      ["spec.domain.devices.interfaces[0].sriov"],
    ],
  ];
  for (const [spec, fields] of rows) {
    assert.deepEqual(
      unsupported(spec).map(({ field }) => field),
      fields,
    );
  }
});

test("a VM is asked through its node, wherever that is", async () => {
  const asked: unknown[] = [];
  const connection: any = {
    ask: async (...all: unknown[]) => {
      asked.push(all);
      return Buffer.from("png").toString("base64");
    },
    open: async (...all: unknown[]) => void asked.push(all),
  };
  const control = vmControl(connection, "p-1");
  await control.freeze(5);
  assert.equal(Buffer.from(await control.screenshot()).toString(), "png");
  await control.openVnc();
  assert.deepEqual(asked, [
    ["vms", { podUid: "p-1", method: "freeze", args: [5] }],
    ["vms", { podUid: "p-1", method: "screenshot", args: [] }],
    ["vms", { podUid: "p-1", method: "openVnc", args: [] }],
  ]);
});
