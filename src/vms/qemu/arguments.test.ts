import assert from "node:assert/strict";
import { test } from "node:test";
import type { KubeObject } from "../../kinds/object.ts";
import { domainOf } from "../domain-of.ts";
import { qemuArguments } from "./arguments.ts";
import { blockNode } from "./disk-arguments.ts";
import type { Launch, PreparedDisk } from "./launch.ts";

const metadata = { namespace: "till", name: "shop", uid: "0a", resourceVersion: "1" };

function domain(spec: any) {
  const status = { VSOCKCID: 7 };
  const vmi = { metadata: { ...metadata, creationTimestamp: "" }, spec, status } as KubeObject;
  return domainOf(vmi, { isBlock: () => false });
}

const bare: Launch = { accelerator: "tcg", disks: [], taps: {}, mtu: 1460, run: "/vm/run" };

function words(spec: any, launch: Partial<Launch> = {}): string[] {
  const whole = { domain: { devices: {} }, ...spec };
  return qemuArguments(domain(whole), { ...bare, ...launch }, { now: 0 });
}

/** The JSON values of an option. */
const values = (all: string[], option: string) =>
  all
    .flatMap((word, i) => (word === `-${option}` ? [all[i + 1]!] : []))
    .map((one) => {
      return one.startsWith("{") ? JSON.parse(one) : one;
    });

const after = (all: string[], option: string) => all[all.indexOf(`-${option}`) + 1];

test("every VM is held in by QEMU's sandbox and asked over two sockets", () => {
  const all = words({});
  assert.match(after(all, "sandbox")!, /^on,.*spawn=deny/);
  assert.deepEqual(values(all, "mon"), [
    "chardev=qmp,mode=control",
    "chardev=qmp-events,mode=control",
  ]);
  assert.ok(all.includes("-nodefaults"));
});

test("an emulated guest has memory of an uneven size, as QEMU loses writes to others that move", () => {
  const of = (memory: object, launch: Partial<Launch>) =>
    after(words({ domain: { memory, devices: {} } }, launch), "m");
  assert.equal(of({ guest: "112Mi" }, {}), "114752K");
  assert.equal(of({ guest: "112Mi" }, { accelerator: "kvm" }), "114688K");
  const pages = { guest: "112Mi", hugepages: { pageSize: "2Mi" } };
  assert.equal(of(pages, {}), "114688K", "huge pages are whole");
});

test("the agent's port needs no events of the kernel, of which QEMU would have one for each of 64 queues", () => {
  const serialsOf = (more: object) =>
    values(words({ domain: { devices: {}, ...more } }), "device").find(
      ({ id }) => id === "serials",
    );
  assert.equal(serialsOf({}).ioeventfd, false);
  const bare = { driver: "virtio-serial-device", id: "serials" };
  assert.deepEqual(serialsOf({ machine: { type: "microvm" } }), bare);
});

test("the processor is the best there is, or the one asked for", () => {
  const rows: [any, Launch["accelerator"], string][] = [
    [{}, "tcg", "max"],
    [{}, "kvm", "host"],
    [{ model: "host-passthrough" }, "tcg", "max"],
    [{ features: [{ name: "aes" }] }, "tcg", "max,aes=on,enforce"],
    [{ features: [{ name: "aes", policy: "optional" }] }, "kvm", "host,aes=on"],
    [
      {
        model: "Nehalem",
        features: [{ name: "aes" }, { name: "vmx", policy: "disable" }],
      },
      "kvm",
      "Nehalem,aes=on,vmx=off",
    ],
  ];
  for (const [cpu, accelerator, expected] of rows) {
    const all = words({ domain: { cpu, devices: {} } }, { accelerator });
    assert.equal(after(all, "cpu"), expected);
  }
  const all = words({ domain: { cpu: { cores: 2, threads: 2 }, devices: {} } });
  assert.equal(after(all, "smp"), "4,sockets=1,cores=2,threads=2");
});

test("what a user names never becomes an option of QEMU", () => {
  const all = words(
    {
      domain: {
        firmware: { serial: "a,b=c", kernelBoot: { container: {}, kernelArgs: "-x a,b" } },
        devices: {},
      },
    },
    { kernel: { path: "/k,readonly=off" } },
  );
  assert.match(after(all, "smbios")!, /serial=a,,b=c/);
  assert.equal(after(all, "append"), "-x a,b");
  assert.equal(after(all, "kernel"), "/k,readonly=off");
});

const disk = (more: object): any => ({
  name: "data",
  device: "disk",
  bus: "virtio",
  readOnly: false,
  source: { kind: "file", file: "disk.img" },
  ...more,
});
const raw = { path: "/vm/disks/data/disk.img", driver: "file", format: "raw" } as const;

function withDisks(disks: PreparedDisk[]) {
  const made = domain({ domain: { devices: {} } });
  made.disks = disks.map((one) => one.disk);
  return qemuArguments(made, { ...bare, disks }, { now: 0 });
}

test("an overlay reads what is below it, and never what an image names", () => {
  const below = { path: "/vm/disks/a/disk.qcow2", driver: "file", format: "qcow2" } as const;
  const all = withDisks([
    {
      disk: disk({}),
      path: "/vm/run/a.qcow2",
      driver: "file",
      format: "qcow2",
      backing: below,
    },
    { disk: disk({ name: "b" }), path: "/vm/run/b.qcow2", driver: "file", format: "qcow2" },
  ]);
  const [first, second] = values(all, "blockdev");
  assert.equal(first["node-name"], blockNode("data"));
  assert.equal(first.backing["read-only"], true);
  assert.equal(first.backing.backing, null);
  assert.equal(second.backing, null);
});

test("a disk is on its bus, with its serial, order and caching", () => {
  const rows: [object, object][] = [
    [{}, { driver: "virtio-blk-pci", bootindex: 1 }],
    [{ bus: "sata" }, { driver: "ide-hd", bus: "sata0.0" }],
    [
      { bus: "sata", device: "cdrom", readOnly: true },
      { driver: "ide-cd", bus: "sata0.0" },
    ],
    [
      { bus: "scsi", serial: "S1" },
      { driver: "scsi-hd", bus: "scsi0.0", serial: "S1" },
    ],
    [{ bus: "scsi", device: "lun" }, { driver: "scsi-block" }],
    [{ bus: "usb" }, { driver: "usb-storage", bus: "usb.0" }],
    [{ bootOrder: 7 }, { bootindex: 7 }],
    [{ cache: "writethrough" }, { "write-cache": "off" }],
    [{ shareable: true }, { "share-rw": true }],
    [{}, { werror: "enospc" }],
    [{ errorPolicy: "report" }, { werror: "report", rerror: "report" }],
  ];
  for (const [more, expected] of rows) {
    const devices = values(withDisks([{ disk: disk(more), ...raw }]), "device");
    const found = devices.find(({ id }) => id === "disk-data");
    assert.partialDeepStrictEqual(found, expected);
  }
  const [node] = values(
    withDisks([{ disk: disk({ cache: "none", io: "native" }), ...raw }]),
    "blockdev",
  );
  assert.partialDeepStrictEqual(node.file, { aio: "native", cache: { direct: true } });
});

test("a cable is a tap of the pod's network, or QEMU's own network", () => {
  const spec = {
    domain: {
      devices: {
        interfaces: [
          { name: "a", masquerade: {}, macAddress: "02:00:00:00:00:01", bootOrder: 2 },
          { name: "b", binding: { name: "user" }, model: "e1000", ports: [{ port: 80 }] },
        ],
      },
    },
    networks: [{ name: "a", pod: {} }],
  };
  const all = words(spec, { taps: { a: "tap0" } });
  const [tap, user] = values(all, "netdev");
  assert.partialDeepStrictEqual(tap, { type: "tap", ifname: "tap0", script: "no" });
  assert.deepEqual(user.hostfwd, [{ str: "tcp::80-:80" }]);
  const cards = values(all, "device").filter(({ id }) => String(id).startsWith("nic-"));
  assert.partialDeepStrictEqual(cards, [
    { driver: "virtio-net-pci", mac: "02:00:00:00:00:01", host_mtu: 1460, bootindex: 2 },
    { driver: "e1000" },
  ]);
});

test("the guest's console is the container's log, and a socket", () => {
  const console = values(words({}), "chardev").find((one) => one.includes("id=console"));
  assert.match(console, /path=\/vm\/run\/console,server=on,wait=off,logfile=\/dev\/stdout/);
});

test("optional devices are there when asked for, and only then", () => {
  const rows: [any, any, string][] = [
    [{ rng: {} }, {}, "virtio-rng-pci"],
    [{ watchdog: { i6300esb: { action: "poweroff" } } }, {}, "i6300esb"],
    [{ autoattachVSOCK: true }, {}, "vhost-vsock-pci"],
    [{ inputs: [{ name: "t", type: "tablet", bus: "usb" }] }, {}, "usb-tablet"],
    [{ autoattachGraphicsDevice: true }, { autoattachGraphicsDevice: false }, "VGA"],
    [{ autoattachMemBalloon: true }, { autoattachMemBalloon: false }, "virtio-balloon-pci"],
  ];
  const drivers = (devices: any) =>
    values(words({ domain: { devices } }), "device").map(({ driver }) => driver);
  for (const [on, off, driver] of rows) {
    assert.ok(drivers(on).includes(driver), driver);
    assert.ok(!drivers(off).includes(driver), `no ${driver}`);
  }
});

test("a guest has the vsock address that its machine was given", () => {
  const devices = values(words({ domain: { devices: { autoattachVSOCK: true } } }), "device");
  assert.equal(devices.find(({ id }) => id === "vsock0")?.["guest-cid"], 7);
});

test("a VM starts paused, ends at a reboot or waits for a migration when it is to", () => {
  assert.ok(words({ startStrategy: "Paused" }).includes("-S"));
  assert.ok(
    words({ domain: { rebootPolicy: "Terminate", devices: {} } }).includes("reboot=shutdown"),
  );
  const incoming = { ...domain({ domain: { devices: {} } }), incoming: true };
  assert.equal(after(qemuArguments(incoming, bare, { now: 0 }), "incoming"), "defer");
});

test("UEFI brings its code to read and the VM's own variables to write", () => {
  const spec = { domain: { firmware: { bootloader: { efi: {} } }, devices: {} } };
  const all = words(spec, { efi: { code: "/c.fd", variables: "/vm/run/v.fd" } });
  const [code, variables] = values(all, "blockdev");
  assert.equal(code["read-only"], true);
  assert.equal(variables.file.filename, "/vm/run/v.fd");
  assert.match(after(all, "machine")!, /smm=on/);
});

test("a TPM and shared files are programs beside QEMU, which writes into memory they see", () => {
  const devices = { tpm: {}, filesystems: [{ name: "files", virtiofs: {} }] };
  const volumes = [{ name: "files", persistentVolumeClaim: { claimName: "files" } }];
  const all = words({ domain: { devices }, volumes });
  assert.ok(all.includes("socket,id=tpm,path=/vm/run/swtpm.sock"));
  assert.ok(all.includes("socket,id=share-files,path=/vm/run/virtiofs-files.sock"));
  assert.ok(all.includes("memory-backend=memory"));
  const [memory] = values(all, "object");
  assert.partialDeepStrictEqual(memory, { "qom-type": "memory-backend-memfd", share: true });
  const fs = values(all, "device").find(({ driver }) => driver === "vhost-user-fs-pci");
  assert.equal(fs.tag, "files");
  assert.ok(!words({}).includes("memory-backend=memory"));
});

test("a card of the node has a port of its own, and a device of USB a controller", () => {
  const hostDevices: Launch["hostDevices"] = [
    { name: "nic", kind: "pci", at: "0000:01:00.0" },
    { name: "set", kind: "usb", at: "1:2" },
    { name: "set", kind: "usb", at: "1:3" },
  ];
  const of = (machine: object) =>
    values(words({ domain: { ...machine, devices: {} } }, { hostDevices }), "device").filter(
      ({ id }) => /^(port-)?host-|^usb$/.test(id),
    );
  assert.deepEqual(of({}), [
    { driver: "qemu-xhci", id: "usb" },
    { driver: "pcie-root-port", id: "port-host-nic", chassis: 64, "io-reserve": 0 },
    { driver: "vfio-pci", id: "host-nic", bus: "port-host-nic", host: "0000:01:00.0" },
    { driver: "usb-host", id: "host-set", hostbus: 1, hostaddr: 2 },
    { driver: "usb-host", id: "host-set.1", hostbus: 1, hostaddr: 3 },
  ]);
  const old = of({ machine: { type: "pc" } });
  assert.deepEqual(old[1], { driver: "vfio-pci", id: "host-nic", host: "0000:01:00.0" });
});
