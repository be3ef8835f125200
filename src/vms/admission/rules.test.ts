import assert from "node:assert/strict";
import { test } from "node:test";
import { dataVolumeErrors } from "./data-volume-rules.ts";
import { withDefaults } from "./defaults.ts";
import { instanceErrors } from "./instance-rules.ts";
import { machineErrors } from "./machine-rules.ts";

const context = { gates: new Set<string>() };
const fields = (errors: { field: string }[]) => errors.map(({ field }) => field);
const disks = (...names: string[]) => ({ devices: { disks: names.map((name) => ({ name })) } });
const volume = (name: string, source: object = { emptyDisk: { capacity: "1Gi" } }) => ({
  name,
  ...source,
});

const secret = { secret: { secretName: "s" } };

test("an instance that cannot be is refused by field", () => {
  const cases: [string, object, string[]][] = [
    ["nothing wrong", { domain: disks("a"), volumes: [volume("a")] }, []],
    ["a disk without volume", { domain: disks("a") }, ["spec.domain.devices.disks[0].name"]],
    [
      "twice the same disk",
      { domain: disks("a", "a"), volumes: [volume("a")] },
      ["spec.domain.devices.disks[1].name"],
    ],
    [
      "twice the same volume",
      { domain: disks(), volumes: [volume("a"), volume("a")] },
      ["spec.volumes[1].name"],
    ],
    [
      "a volume of two kinds",
      {
        domain: disks(),
        volumes: [volume("a", { emptyDisk: { capacity: "1" }, containerDisk: { image: "x" } })],
      },
      ["spec.volumes[0]"],
    ],
    [
      "an empty emptyDisk",
      { domain: disks(), volumes: [volume("a", { emptyDisk: { capacity: "0" } })] },
      ["spec.volumes[0].emptyDisk.capacity"],
    ],
    [
      "a path that leaves the image",
      {
        domain: disks(),
        volumes: [volume("a", { containerDisk: { image: "x", path: "/../etc/shadow" } })],
      },
      ["spec.volumes[0].containerDisk.path"],
    ],
    [
      "a host's disk",
      { domain: disks(), volumes: [volume("a", { hostDisk: { path: "/a", type: "Disk" } })] },
      ["spec.volumes[0].hostDisk"],
    ],
    [
      "credentials that have no way in, no source or two kinds",
      {
        domain: disks(),
        accessCredentials: [
          { sshPublicKey: { source: secret, propagationMethod: { noCloud: {} } } },
          { sshPublicKey: { source: {}, propagationMethod: { qemuGuestAgent: { users: [] } } } },
          { userPassword: { source: secret, propagationMethod: {} } },
          {},
        ],
      },
      [
        "spec.accessCredentials[0].sshPublicKey.propagationMethod",
        "spec.accessCredentials[1].sshPublicKey.source",
        "spec.accessCredentials[1].sshPublicKey.propagationMethod.qemuGuestAgent.users",
        "spec.accessCredentials[2].userPassword.propagationMethod",
        "spec.accessCredentials[3]",
      ],
    ],
    [
      "a seed of nothing",
      { domain: disks(), volumes: [volume("a", { cloudInitNoCloud: {} })] },
      ["spec.volumes[0].cloudInitNoCloud"],
    ],
    [
      "a seed too long",
      {
        domain: disks(),
        volumes: [volume("a", { cloudInitNoCloud: { userData: "x".repeat(2049) } })],
      },
      ["spec.volumes[0].cloudInitNoCloud.userData"],
    ],
    [
      "more memory than its limit",
      {
        domain: { devices: {}, memory: { guest: "2Gi" }, resources: { limits: { memory: "1Gi" } } },
      },
      ["spec.domain.memory.guest"],
    ],
    [
      "addresses and ports that are none",
      {
        domain: {
          devices: {
            interfaces: [{ name: "a", masquerade: {}, macAddress: "zz", ports: [{ port: 0 }] }],
          },
        },
        networks: [{ name: "a", pod: {} }],
      },
      [
        "spec.domain.devices.interfaces[0].macAddress",
        "spec.domain.devices.interfaces[0].ports[0].port",
      ],
    ],
    [
      "a network that nobody joins",
      {
        domain: { devices: { interfaces: [{ name: "a", bridge: {} }] } },
        networks: [
          { name: "a", pod: {} },
          { name: "b", pod: {} },
        ],
      },
      ["spec.networks[1].name"],
    ],
    [
      "a probe of two kinds",
      { domain: {}, readinessProbe: { httpGet: {}, tcpSocket: {} } },
      ["spec.readinessProbe"],
    ],
    [
      "a probe by the agent",
      { domain: {}, livenessProbe: { exec: {} } },
      ["spec.livenessProbe.exec.command"],
    ],
    [
      "strategies that are none",
      { domain: {}, evictionStrategy: "Run", startStrategy: "Now" },
      ["spec.evictionStrategy", "spec.startStrategy"],
    ],
    [
      "a kernel of nothing",
      { domain: { firmware: { kernelBoot: { container: { image: "a" } } } } },
      ["spec.domain.firmware.kernelBoot.container.kernelPath"],
    ],
    [
      "what QEMU here does not do",
      { domain: { devices: { sound: { name: "s" } } } },
      ["spec.domain.devices.sound"],
    ],
    [
      "devices that nobody permits, or names",
      { domain: { devices: { gpus: [{}], hostDevices: [{ name: "a", deviceName: "x/y" }] } } },
      ["spec.domain.devices.gpus[0].deviceName", "spec.domain.devices.hostDevices[0].deviceName"],
    ],
    [
      "huge pages of an odd size",
      { domain: { memory: { guest: "64Mi", hugepages: { pageSize: "4Ki" } } } },
      ["spec.domain.memory.hugepages.pageSize"],
    ],
    [
      "a guest that fills no huge page",
      { domain: { memory: { guest: "63Mi", hugepages: { pageSize: "2Mi" } } } },
      ["spec.domain.memory.hugepages.pageSize"],
    ],
  ];
  for (const [name, spec, expected] of cases) {
    assert.deepEqual(fields(instanceErrors(spec, "spec", context)), expected, name);
  }
  const gated = { domain: {}, volumes: [volume("a", { hostDisk: { path: "/a", type: "Disk" } })] };
  assert.deepEqual(instanceErrors(gated, "spec", { gates: new Set(["HostDisk"]) }), []);
});

test("a machine that cannot be is refused by field", () => {
  const template = { spec: { domain: {} } };
  const cases: [string, object, string[]][] = [
    [
      "two words for one thing",
      { running: true, runStrategy: "Always", template },
      ["spec.running"],
    ],
    ["no word", { template }, ["spec.running"]],
    ["an unknown strategy", { runStrategy: "Sometimes", template }, ["spec.runStrategy"]],
    ["a receiver", { runStrategy: "WaitAsReceiver", template }, ["spec.runStrategy"]],
    [
      "a template that nobody uses",
      {
        running: true,
        template,
        dataVolumeTemplates: [
          {
            metadata: { name: "a" },
            spec: { source: { blank: {} }, pvc: { resources: { requests: { storage: "1" } } } },
          },
        ],
      },
      ["spec.dataVolumeTemplates[0]"],
    ],
    [
      "volumes that move",
      { running: true, template, updateVolumesStrategy: "Migration" },
      ["spec.updateVolumesStrategy"],
    ],
    [
      "a size that is inferred and named",
      { running: true, template, instancetype: { inferFromVolume: "a", name: "b" } },
      ["spec.instancetype.name"],
    ],
    ["an inferred size", { running: true, template, preference: { inferFromVolume: "a" } }, []],
  ];
  for (const [name, spec, expected] of cases) {
    assert.deepEqual(fields(machineErrors({ spec }, context)), expected, name);
  }
});

test("a DataVolume that cannot be is refused by field", () => {
  const pvc = { resources: { requests: { storage: "1Gi" } } };
  const cases: [object, string[]][] = [
    [{ source: { blank: {} }, pvc }, []],
    [{ source: { pvc: { name: "a", namespace: "b" } }, storage: {} }, []],
    [{ source: { blank: {} } }, ["spec"]],
    [{ source: { blank: {} }, pvc, storage: pvc }, ["spec.pvc"]],
    [{ source: { blank: {} }, storage: {} }, ["spec.storage.resources.requests.storage"]],
    [{ source: { http: { url: "file:///etc/shadow" } }, pvc }, ["spec.source.http.url"]],
    [
      { source: { http: { url: "http://a/b", checksum: "sha256:1" } }, pvc },
      ["spec.source.http.checksum"],
    ],
    [{ source: { registry: { url: "docker://a/b", pullMethod: "node" } }, pvc }, []],
    [
      { source: { http: { url: "http://a/b", customHeaders: ["x"] } }, pvc },
      ["spec.source.http.customHeaders"],
    ],
    [
      { source: { registry: { url: "docker://a/b", secretRef: "x" } }, pvc },
      ["spec.source.registry.secretRef"],
    ],
    [{ source: { vddk: {} }, pvc }, ["spec.source.vddk"]],
    [{ source: { http: { url: "http://a" }, blank: {} }, pvc }, ["spec.source"]],
    [
      { source: { blank: {} }, pvc, contentType: "archive", checkpoints: [{}] },
      ["spec.contentType", "spec.checkpoints"],
    ],
  ];
  for (const [spec, expected] of cases) {
    assert.deepEqual(fields(dataVolumeErrors(spec, "spec")), expected, JSON.stringify(spec));
  }
});

test("what a maker left open is filled in, and nothing else", () => {
  const open = withDefaults({
    domain: { devices: {}, memory: { guest: "64Mi" } },
    volumes: [{ name: "a" }],
  });
  assert.deepEqual(open.networks, [{ name: "default", pod: {} }]);
  assert.deepEqual(open.domain.devices.disks, [{ name: "a", disk: {} }]);
  assert.deepEqual(open.domain.resources.requests, { memory: "64Mi" });
  const devices = { autoattachPodInterface: false };
  const alone = withDefaults({ domain: { devices, resources: { requests: { memory: "1Gi" } } } });
  assert.deepEqual(
    [alone.networks, alone.domain.devices, alone.domain.memory],
    [undefined, devices, { guest: "1Gi" }],
  );
});
