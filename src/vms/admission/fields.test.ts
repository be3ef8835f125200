// Every field of KubeVirt's VMI is acted on or refused by its name: each is set by itself, and then either admission
// names it, or the pod and QEMU's command line are others than without it.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import type { Schema } from "../../kinds/schema.ts";
import { domainAnnotation } from "../domain.ts";
import type { Domain } from "../domain.ts";
import { launcherPod } from "../instance/launcher-pod.ts";
import { schemaOf } from "../kinds/schemas.ts";
import { qemuArguments } from "../qemu/arguments.ts";
import { withDefaults } from "./defaults.ts";
import { instanceErrors } from "./instance-rules.ts";

/** What a field lies in, where that cannot be empty. */
const around: Record<string, object> = {
  "volumes[]": { name: "a" },
  "volumes[].containerDisk": { image: "disk" },
  "volumes[].hostDisk": { path: "/disks/a", type: "DiskOrCreate", capacity: "1Mi" },
  "volumes[].cloudInitNoCloud": { userData: "x" },
  "volumes[].cloudInitConfigDrive": { userData: "x" },
  "volumes[].persistentVolumeClaim": { claimName: "a" },
  "volumes[].dataVolume": { name: "a" },
  "volumes[].emptyDisk": { capacity: "2Mi" },
  "volumes[].configMap": { name: "a" },
  "volumes[].secret": { secretName: "a" },
  "domain.devices.disks[]": { name: "a", disk: { bus: "virtio" } },
  "domain.devices.disks[].cdrom": { bus: "sata" },
  "domain.devices.disks[].lun": { bus: "scsi" },
  "domain.devices.filesystems[]": { name: "a" },
  "domain.devices.interfaces[]": { name: "default", masquerade: {} },
  "domain.devices.interfaces[].ports[]": { port: 1 },
  "domain.devices.inputs[]": { name: "tablet", type: "tablet", bus: "usb" },
  "domain.devices.gpus[]": { name: "a", deviceName: "example.com/card" },
  "domain.devices.hostDevices[]": { name: "a", deviceName: "example.com/card" },
  "networks[]": { name: "default" },
  "networks[].pod": {},
  "domain.firmware.kernelBoot.container": { image: "kernel", kernelPath: "/boot/vmlinuz" },
  "domain.memory.hugepages": { pageSize: "2Mi" },
  "domain.devices.interfaces[].dhcpOptions.privateOptions[]": { option: 225, value: "a" },
  "domain.firmware.kernelBoot": { container: { image: "kernel", kernelPath: "/boot/vmlinuz" } },
  "domain.cpu.features[]": { name: "aes" },
  readinessProbe: { guestAgentPing: {} },
  livenessProbe: { guestAgentPing: {} },
};

/** What is said instead of a word or a number that stands for its type. */
const samples: Record<string, unknown> = {
  "domain.memory.hugepages.pageSize": "1Gi",
  "domain.machine.type": "pc",
  "domain.firmware.uuid": "5d307ca9-b3ef-428c-8861-06e72d69f223",
  "domain.rebootPolicy": "Terminate",
  "domain.clock.timezone": "Asia/Tokyo",
  "domain.devices.disks[].disk.bus": "scsi",
  "domain.devices.disks[].cdrom.bus": "scsi",
  "domain.devices.disks[].cache": "none",
  "domain.devices.disks[].io": "native",
  "domain.devices.disks[].errorPolicy": "report",
  "domain.devices.interfaces[].macAddress": "02:11:22:33:44:55",
  "domain.devices.interfaces[].model": "e1000",
  "domain.devices.interfaces[].state": "down",
  "domain.devices.inputs[].bus": "virtio",
  "domain.devices.inputs[].type": "keyboard",
  "volumes[].cloudInitNoCloud.networkDataBase64": "eA==",
  "volumes[].cloudInitConfigDrive.networkDataBase64": "eA==",
  "domain.devices.interfaces[].dhcpOptions.privateOptions[].option": 224,
  "domain.devices.disks[].blockSize.custom.logical": 4096,
  "domain.devices.disks[].blockSize.custom.physical": 4096,
  "domain.devices.disks[].blockSize.custom.discardGranularity": 4096,
  "domain.ioThreadsPolicy": "auto",
  "domain.clock.timer.rtc.tickPolicy": "catchup",
  "domain.clock.timer.rtc.track": "guest",
  "domain.memory.reservedOverhead.addedOverhead": "64Mi",
  "domain.memory.reservedOverhead.memLock": "Required",
  "networks[].pod.vmNetworkCIDR": "10.9.0.0/24",
  "volumes[].hostDisk.type": "Disk",
  "volumes[].containerDisk.path": "/disk/a.img",
  startStrategy: "Paused",
};

/** Fields that others than the pod act on. */
const elsewhere = new Set([
  // Who drains a node asks for it (eviction/plan.ts).
  "evictionStrategy",
  // What is so by itself.
  "domain.devices.interfaces[].masquerade",
  "domain.devices.filesystems[].virtiofs",
  "volumes[].ephemeral.persistentVolumeClaim.readOnly",
  // A name for people.
  "domain.devices.watchdog.name",
]);

const base = () => ({
  domain: {
    memory: { guest: "1Gi" },
    devices: {
      disks: [{ name: "a", disk: { bus: "virtio" } }],
      interfaces: [{ name: "default", masquerade: {} }],
    },
  },
  networks: [{ name: "default", pod: {} }],
  volumes: [{ name: "a", emptyDisk: { capacity: "1Mi" } }],
});

const kindsOf: Record<string, string[]> = {
  "volumes[]": ["emptyDisk"],
  "domain.devices.disks[]": ["disk"],
  "domain.devices.interfaces[]": ["masquerade"],
  "networks[]": ["pod"],
  readinessProbe: ["guestAgentPing"],
  livenessProbe: ["guestAgentPing"],
};
const alternatives: Record<string, RegExp> = {
  "volumes[]": /^(?!name$)/,
  "domain.devices.disks[]": /^(cdrom|lun)$/,
  "domain.devices.interfaces[]": /^(bridge|sriov|slirp|macvtap|passt|passtBinding|binding)$/,
  "networks[]": /^(multus|resourceClaim)$/,
  readinessProbe: /^(exec|httpGet|tcpSocket)$/,
  livenessProbe: /^(exec|httpGet|tcpSocket)$/,
};

/** The spec with what a path needs around it, and with a value where it ends. */
function specWith(path: string, value: unknown) {
  const spec: any = base();
  if (path.endsWith("autoattachPodInterface")) {
    delete spec.domain.devices.interfaces;
    delete spec.networks;
  }
  if (/^volumes|filesystems/.test(path)) spec.domain.devices.disks = [];
  let at = spec;
  let here = "";
  const steps = path.split(".");
  steps.forEach((step, i) => {
    const name = step.replace("[]", "");
    const above = here;
    here = here ? `${here}.${step}` : step;
    if (alternatives[above]?.test(name)) for (const one of kindsOf[above]!) delete at[one];
    const isLast = i === steps.length - 1;
    if (isLast && value !== undefined) {
      at[name] = step.endsWith("[]") ? [value] : value;
      return;
    }
    if (isLast) {
      delete at[name];
      return;
    }
    if (step.endsWith("[]")) {
      at[name] ??= [structuredClone(around[here] ?? {})];
      at = at[name][0];
      return;
    }
    at[name] ??= structuredClone(around[here] ?? {});
    at = at[name];
  });
  return spec;
}

interface Field {
  path: string;
  values: unknown[];
}

function valuesOf(path: string, { type, enum: words }: Schema): unknown[] {
  if (samples[path] !== undefined) return [samples[path]];
  if (words) return words;
  if (type === "boolean") return [true, false];
  if (type === "integer") return [7];
  return ["7"];
}

/** Kubernetes' own types are passed on whole. */
const whole =
  /^(affinity|dnsConfig|tolerations\[\]|topologySpreadConstraints\[\]|nodeSelector)\.|(exec|httpGet|tcpSocket|fields\[\])\./;

function fieldsOf(schema: Schema, path = ""): Field[] {
  const { properties, items } = schema as any;
  if (items?.properties) return fieldsOf(items, `${path}[]`);
  if (whole.test(`${path}.`)) return [];
  if (items) return [{ path: `${path}[]`, values: valuesOf(path, items) }];
  if (!properties) {
    return [
      { path, values: schema.type === "object" ? [{ memory: "65Mi" }] : valuesOf(path, schema) },
    ];
  }
  const own = Object.keys(properties).length === 0 ? [{ path, values: [{}] }] : [];
  return [
    ...own,
    ...Object.entries(properties).flatMap(([name, one]) =>
      fieldsOf(one as Schema, path ? `${path}.${name}` : name),
    ),
  ];
}

const metadata = { namespace: "till", name: "shop", uid: "0a", resourceVersion: "1" };

function outcome(spec: any): string {
  const whole = withDefaults(spec);
  const vmi = { metadata, spec: whole, status: { VSOCKCID: 7 } } as unknown as KubeObject;
  const pod = launcherPod(vmi, { isBlock: () => false });
  const domain = JSON.parse(pod.metadata!.annotations![domainAnnotation]!) as Domain;
  const disks = domain.disks.map((disk) => {
    return { disk, path: "/a", driver: "file" as const, format: "raw" as const };
  });
  const launch = {
    disks,
    taps: {},
    mtu: 1460,
    run: "/vm/run",
    kernel: { path: "/k", initrd: "/i" },
  };
  const lines = (["tcg", "kvm"] as const).map((accelerator) =>
    qemuArguments(domain, { ...launch, accelerator }, { now: 0 }),
  );
  return JSON.stringify([pod, lines]);
}

const context = {
  gates: new Set(["HostDisk"]),
  permittedDevices: new Set(["example.com/card"]),
};

/** Undefined where nothing runs without it. */
function outcomeWithout(path: string): string | undefined {
  try {
    return outcome(specWith(path, undefined));
  } catch {
    return undefined;
  }
}

function isSilent({ path, values }: Field): boolean {
  const plain = outcomeWithout(path);
  return values.every((value) => {
    const spec = specWith(path, value);
    if (instanceErrors(spec, "spec", context).length > 0) return false;
    return outcome(spec) === plain;
  });
}

test("every field of an instance is acted on, or refused", () => {
  const fields = fieldsOf(schemaOf("v1.VirtualMachineInstanceSpec"));
  assert.ok(fields.length > 250, `${fields.length} fields`);
  const silent = fields
    .filter(({ path }) => !elsewhere.has(path))
    .filter(isSilent)
    .map(({ path }) => path);
  assert.deepEqual(silent, []);
});
