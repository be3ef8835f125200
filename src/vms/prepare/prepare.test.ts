import assert from "node:assert/strict";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import type { Domain, DomainDisk, DomainInterface } from "../domain.ts";
import { isSandbox, mountSource, networkNamespace, qemuBundle } from "./bundle.ts";
import { loadedFiles } from "./loaded-files.ts";
import { guestNetwork, networkPlan, networkSettings, podInterface } from "./network-plan.ts";
import { prepareDisks } from "./prepare-disks.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-vm-"));
after(() => rmSync(folder, { recursive: true }));

test("QEMU's container has no privilege, whatever the pod asked for", () => {
  const bundle = qemuBundle(
    {
      process: {
        args: ["/bin/sh"],
        user: { uid: 0, gid: 0, additionalGids: [5] },
        capabilities: { bounding: ["CAP_SYS_ADMIN"] },
        noNewPrivileges: false,
      },
      root: { path: "rootfs", readonly: false },
      mounts: [{ destination: "/vm/run", source: "/pods/1/run" }],
      linux: { resources: { memory: { limit: 5 }, devices: [{ allow: false, access: "rwm" }] } },
    },
    {
      args: ["/usr/bin/qemu"],
      user: 107,
      files: ["/usr/bin/qemu"],
      devices: [{ path: "/dev/net/tun", type: "c", major: 10, minor: 200 }],
    },
  );
  assert.partialDeepStrictEqual(bundle.process, {
    args: ["/usr/bin/qemu"],
    user: { uid: 107, gid: 107, additionalGids: [5] },
    capabilities: { bounding: [], effective: [], permitted: [] },
    noNewPrivileges: true,
  });
  assert.equal(bundle.root.readonly, true);
  assert.deepEqual(bundle.mounts![1]!.options!.slice(0, 2), ["rbind", "ro"]);
  assert.partialDeepStrictEqual(bundle.linux!.resources, {
    memory: { limit: 5 },
    devices: [{ allow: false }, { allow: true, major: 10, minor: 200 }],
  });
});

test("a bundle tells its sandbox, mounts and network", () => {
  const process = { args: [], user: { uid: 0, gid: 0 } };
  const config = {
    process,
    root: { path: "r" },
    annotations: { "io.kubernetes.cri.container-type": "sandbox" },
    mounts: [{ destination: "/a", source: "/b" }],
    linux: { namespaces: [{ type: "pid" }, { type: "network", path: "/proc/5/ns/net" }] },
  };
  assert.equal(isSandbox(config), true);
  assert.equal(mountSource(config, "/a"), "/b");
  assert.equal(networkNamespace(config), "/proc/5/ns/net");
});

test("what a program loads is read from the dynamic loader's list", () => {
  const listed =
    "\tlinux-vdso.so.1 (0x1)\n\tlibz.so.1 => /lib/libz.so.1 (0x2)\n\t/lib64/ld.so.2 (0x3)\n";
  assert.deepEqual(loadedFiles(listed), ["/lib/libz.so.1", "/lib64/ld.so.2"]);
});

const pod = { name: "eth0", mtu: 1460, address: "10.1.0.7", prefix: 24, gateway: "10.1.0.1" };
const cable = (more: object): any => ({
  name: "default",
  binding: "masquerade",
  cidr: "10.0.2.0/24",
  ports: [],
  ...more,
});

test("a guest's network is the second and third address of its range", () => {
  assert.deepEqual(guestNetwork("10.0.2.0/24"), {
    gateway: "10.0.2.1",
    guest: "10.0.2.2",
    prefix: 24,
  });
  assert.equal(guestNetwork("192.168.7.16/29").guest, "192.168.7.18");
});

test("masquerade gives the pod's traffic to the guest, or only that of its ports", () => {
  const all = networkPlan(cable({}), pod, { user: 107 });
  assert.match(all.nft, /iifname "eth0" ip daddr 10\.1\.0\.7 dnat to 10\.0\.2\.2/);
  assert.ok(all.ip.includes("tuntap add dev tap0 mode tap user 107 group 107"));
  const ports = [
    { port: 80, protocol: "TCP" },
    { port: 53, protocol: "UDP" },
  ];
  const some = networkPlan(cable({ ports }), pod, { user: 107 }).nft;
  assert.match(some, /iifname "eth0" ip daddr 10\.1\.0\.7 tcp dport \{ 80 \} dnat/);
  assert.match(some, /iifname "eth0" ip daddr 10\.1\.0\.7 udp dport \{ 53 \} dnat/);
  assert.doesNotMatch(some, /daddr 10\.1\.0\.7 dnat/);
});

test("a guest that moved is known by its first address, and its connections go on unseen", () => {
  const ports = [{ port: 80, protocol: "TCP" }];
  const options = { user: 107, address: "10.1.9.4" };
  const { nft } = networkPlan(cable({ ports }), pod, options);
  assert.match(nft, /ip daddr 10\.1\.9\.4 tcp dport \{ 80 \} dnat to 10\.0\.2\.2/);
  assert.match(nft, /ip saddr 10\.0\.2\.2 snat to 10\.1\.9\.4/);
  assert.match(nft, /daddr 10\.1\.9\.4 tcp flags & \(syn \| rst\) == 0x0 dnat/);
  assert.match(nft, /iifname "eth0" oifname "eth0" drop/);
});

test("a bridge gives the guest the pod's address; QEMU's own network is a program of the pod", () => {
  const plan = networkPlan(cable({ binding: "bridge" }), pod, { user: 107 });
  assert.ok(plan.ip.includes("address flush dev eth0"));
  assert.partialDeepStrictEqual(plan.lease, { address: "10.1.0.7", router: "10.1.0.1" });
  const own = networkPlan(cable({ binding: "user" }), pod, { user: 107 });
  assert.equal(own.tap, undefined);
  assert.equal(own.settings["net/ipv4/ip_unprivileged_port_start"], "0");
});

test("little of a guest that moves waits in the kernel, except where its connections are QEMU's own", () => {
  const settingsOf = (...bindings: DomainInterface["binding"][]) => {
    const interfaces = bindings.map((binding) => cable({ binding }));
    const plans = interfaces.map((one) => networkPlan(one, pod, { user: 107 }));
    return networkSettings({ interfaces }, plans);
  };
  const buffers = "net/ipv4/tcp_rmem";
  assert.match(settingsOf("masquerade")[buffers]!, /^4096 131072 524288$/);
  assert.equal(settingsOf("masquerade")["net/ipv4/ip_forward"], "1");
  assert.ok(buffers in settingsOf());
  assert.ok(!(buffers in settingsOf("masquerade", "user")));
});

test("the pod's interface is the one of its default route", () => {
  const addresses = [
    { ifname: "lo", mtu: 65536, addr_info: [{ family: "inet", local: "127.0.0.1" }] },
    {
      ifname: "eth0",
      mtu: 1460,
      addr_info: [{ family: "inet", local: "10.1.0.7", prefixlen: 24 }],
    },
  ];
  const routes = [{ dst: "default", dev: "eth0", gateway: "10.1.0.1" }];
  assert.deepEqual(podInterface(addresses, routes), pod);
  assert.throws(() => podInterface([], []), /no IPv4 address/);
});

const given: string[] = [];
const run = join(folder, "run");
mkdirSync(run);
const volume = join(folder, "volume");
mkdirSync(join(volume, "disk"), { recursive: true });

function prepare(disk: Partial<DomainDisk>) {
  const whole = { name: "v", device: "disk", bus: "virtio", readOnly: false, ...disk };
  const domain = {
    namespace: "till",
    hostname: "shop",
    firmware: { uuid: "u" },
    disks: [whole],
  } as Domain;
  const hostPath = (path: string) => ({ "/vm/run": run, "/vm/disks/v": volume })[path as "/vm/run"];
  return prepareDisks(domain, { hostPath, give: (file) => void given.push(file) });
}

test("nothing outside its volume is ever a disk", async () => {
  writeFileSync(join(folder, "secret"), "the host's own");
  const rows: [string, RegExp][] = [
    ["link", /volume v: link leads out of its volume/],
    ["none", /volume v: none is not there/],
    ["disk", /volume v: disk is no file/],
  ];
  symlinkSync("../secret", join(volume, "link"));
  for (const [file, why] of rows) {
    await assert.rejects(prepare({ source: { kind: "file", file } }), why);
  }
  const path = "/link";
  await assert.rejects(prepare({ source: { kind: "containerDisk", path } }), /leads out/);
});

test("an image that names another file is refused, by the volume's name", async () => {
  const header = Buffer.alloc(512);
  header.write("QFI\xfb", "latin1");
  header.writeUInt32BE(3, 4);
  header.writeBigUInt64BE(300n, 8);
  header.writeUInt32BE(16, 20);
  writeFileSync(join(volume, "disk/evil.qcow2"), header);
  const source = { kind: "containerDisk" } as const;
  await assert.rejects(prepare({ source }), /volume v: the image has a backing file/);
  writeFileSync(join(volume, "disk/other"), "");
  await assert.rejects(prepare({ source }), /2 files in \/disk/);
});

test("a raw disk stays raw, though its guest wrote an image's header to it", async () => {
  const file = join(volume, "disk.img");
  writeFileSync(file, Buffer.from("QFI\xfb\0\0\0\x03".padEnd(200, "\0"), "latin1"));
  const [disk] = await prepare({ source: { kind: "file", file: "disk.img" } });
  assert.equal(disk!.format, "raw");
  assert.equal(given.at(-1), file);
});

test("a host's disk is made when there is none, and kept when there is", async () => {
  const source = { kind: "file", file: "new.img", createBytes: 4096 } as const;
  await prepare({ source });
  const file = join(volume, "new.img");
  assert.equal(statSync(file).size, 4096);
  truncateSync(file, 8192);
  await prepare({ source });
  assert.equal(statSync(file).size, 8192);
});

test("a file of the machine that was not given to guests stays whose it is", async () => {
  const source = { kind: "file", file: "theirs", onHost: true } as const;
  const file = join(volume, "theirs");
  writeFileSync(file, "root's own");
  const before = given.length;
  await assert.rejects(
    prepare({ source }),
    /volume v: .*theirs of the node is user \d+'s; .*chown/,
  );
  assert.equal(given.length, before);
  const made = { ...source, file: "made.img", createBytes: 4096 };
  await prepare({ source: made });
  assert.equal(given.at(-1), join(volume, "made.img"));
});

test("files become a disk, without what the kubelet keeps beside them", async () => {
  rmSync(volume, { recursive: true });
  mkdirSync(join(volume, "..data"), { recursive: true });
  writeFileSync(join(volume, "..data/key"), "value of the key");
  symlinkSync("..data/key", join(volume, "key"));
  await prepare({ source: { kind: "files", label: "cfgdata" } });
  assert.ok(existsSync(join(run, "v.iso")));
});
