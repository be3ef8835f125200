import assert from "node:assert/strict";
import { test } from "node:test";
import { expand } from "./expand.ts";

const instancetype = { cpu: { guest: 4 }, memory: { guest: "2Gi" }, annotations: { a: "b" } };
const template = (domain = {}) => ({
  domain: { devices: { disks: [{ name: "root" }] }, ...domain },
});

test("an instance type says how big a machine is, its preference how that is laid out", () => {
  const plain = expand(template(), { instancetype });
  assert.deepEqual(plain.spec.domain.cpu, { sockets: 4, cores: 1, threads: 1 });
  assert.deepEqual(plain.spec.domain.memory, { guest: "2Gi" });
  assert.deepEqual([plain.annotations, plain.errors], [{ a: "b" }, []]);
  for (const [name, cpu] of [
    ["cores", { cores: 4, sockets: 1, threads: 1 }],
    ["preferThreads", { cores: 1, sockets: 1, threads: 4 }],
    ["spread", { cores: 2, sockets: 2, threads: 1 }],
  ] as const) {
    const preference = { cpu: { preferredCPUTopology: name } };
    assert.deepEqual(expand(template(), { instancetype, preference }).spec.domain.cpu, cpu, name);
  }
});

test("what the instance type says is not said by the machine", () => {
  const both = template({
    cpu: { cores: 2 },
    memory: { guest: "1Gi" },
    resources: { requests: { memory: "1Gi" } },
  });
  assert.deepEqual(
    expand(both, { instancetype }).errors.map(({ field }) => field),
    ["cpu.cores", "memory.guest", "resources.requests.memory"].map(
      (x) => `spec.template.spec.domain.${x}`,
    ),
  );
});

test("a preference fills what the machine leaves open, and no more", () => {
  const preference = {
    devices: { preferredDiskBus: "virtio", preferredCdromBus: "sata", preferredRng: {} },
    firmware: { preferredUseEfi: true, preferredUseSecureBoot: false },
    machine: { preferredMachineType: "q35" },
    features: { preferredAcpi: { enabled: false } },
    preferredTerminationGracePeriodSeconds: 7,
  };
  const open = expand(template(), { preference }).spec;
  assert.deepEqual(open.domain.devices, {
    disks: [{ name: "root", disk: { bus: "virtio" } }],
    interfaces: [{ name: "default", masquerade: {} }],
    rng: {},
  });
  assert.deepEqual(open.domain.firmware, { bootloader: { efi: { secureBoot: false } } });
  assert.deepEqual(open.domain.machine, { type: "q35" });
  assert.deepEqual(open.domain.features, { acpi: { enabled: false } });
  assert.equal(open.terminationGracePeriodSeconds, 7);
  const firm = template({
    devices: { disks: [{ name: "root", disk: { bus: "sata" } }], rng: { x: 1 } },
    firmware: { bootloader: { bios: {} } },
    machine: { type: "pc" },
  });
  const { domain } = expand(firm, { preference }).spec;
  assert.deepEqual(domain.devices, {
    ...firm.domain.devices,
    interfaces: open.domain.devices.interfaces,
  });
  assert.deepEqual(
    [domain.firmware, domain.machine],
    [{ bootloader: { bios: {} } }, { type: "pc" }],
  );
});

test("a machine too small for its preference is refused", () => {
  const preference = { requirements: { cpu: { guest: 8 }, memory: { guest: "4Gi" } } };
  const { errors } = expand(template(), { instancetype, preference });
  assert.deepEqual(
    errors.map(({ field }) => field),
    ["spec.template.spec.domain.cpu", "spec.template.spec.domain.memory.guest"],
  );
});

test("CPUs are spread as a preference says, where they divide", () => {
  const rows: [number, object, object][] = [
    [12, { spreadOptions: { ratio: 3 } }, { sockets: 4, cores: 3, threads: 1 }],
    [8, { spreadOptions: { across: "SocketsCoresThreads" } }, { sockets: 2, cores: 2, threads: 2 }],
    [8, { spreadOptions: { across: "CoresThreads" } }, { sockets: 1, cores: 4, threads: 2 }],
    [7, { spreadOptions: { ratio: 3 } }, { sockets: 7, cores: 1, threads: 1 }],
  ];
  for (const [guest, cpu, wanted] of rows) {
    const instancetype = { cpu: { guest }, memory: { guest: "1Gi" } };
    const preference = { cpu: { preferredCPUTopology: "spread", ...cpu } };
    const { spec } = expand({ domain: {} }, { instancetype, preference });
    assert.deepEqual(spec.domain.cpu, wanted);
  }
});

test("a preference says how disks and devices are, and gives way to the machine", () => {
  const devices = {
    preferredAutoattachInputDevice: true,
    preferredUseVirtioTransitional: true,
    preferredDiskBlockSize: { custom: { logical: 4096, physical: 4096 } },
    preferredDiskDedicatedIoThread: true,
  };
  const disks = [
    { name: "a", disk: { bus: "virtio" } },
    { name: "b", disk: { bus: "sata" }, blockSize: { custom: { logical: 512, physical: 512 } } },
  ];
  const { spec } = expand({ domain: { devices: { disks } } }, { preference: { devices } });
  const { devices: made } = spec.domain;
  assert.deepEqual([made.autoattachInputDevice, made.useVirtioTransitional], [true, true]);
  assert.deepEqual(
    made.disks.map(({ blockSize, dedicatedIOThread }: any) => [
      blockSize.custom.logical,
      dedicatedIOThread,
    ]),
    [
      [4096, true],
      [512, undefined],
    ],
  );
});

test("a preference counts for what the machine has without naming it", () => {
  const devices = {
    preferredDiskBus: "scsi",
    preferredInterfaceModel: "e1000",
    preferredAutoattachInputDevice: true,
    preferredInputBus: "virtio",
  };
  const bare = { domain: {}, volumes: [{ name: "root", containerDisk: {} }] };
  const made = expand(bare, { preference: { devices } }).spec;
  assert.deepEqual(made.domain.devices.disks, [{ name: "root", disk: { bus: "scsi" } }]);
  const [network] = made.domain.devices.interfaces;
  assert.deepEqual([network.model, made.networks], ["e1000", [{ name: "default", pod: {} }]]);
  const { preferredInputBus: _, ...rest } = devices;
  const alone = { ...rest, preferredAutoattachPodInterface: false };
  const cut = expand(bare, { preference: { devices: alone } }).spec;
  assert.equal(cut.domain.devices.interfaces, undefined);
  assert.deepEqual(expand(bare, {}).spec.domain.devices, {}, "without a preference nothing is");
});

test("a preference for another architecture refuses the machine by field", () => {
  const preference = { requirements: { architecture: "arm64" } };
  const { errors } = expand({ domain: {} }, { preference });
  assert.deepEqual(
    errors.map(({ field }) => field),
    ["spec.template.spec.architecture"],
  );
});
