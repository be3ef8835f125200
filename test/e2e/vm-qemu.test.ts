// A guest under QEMU as the node runs it, without a site: what VmControl asks, the guest does.
import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { systemClock } from "../../src/lib/clock.ts";
import { tryBoot } from "../../src/vms/node/probe.ts";
import { Streams } from "../../src/vms/node/streams.ts";
import { openStream } from "../../src/vms/node/vm-control.ts";
import { eventually } from "../support/eventually.ts";
import { untilGuest } from "../support/guest.ts";
import { guestFiles, QemuVm } from "../support/qemu.ts";

const folder = mkdtempSync(join(tmpdir(), "kerb-qemu-test-"));
const volume = (name: string, text: string) => {
  const path = join(folder, name);
  mkdirSync(path);
  writeFileSync(join(path, "disk.img"), Buffer.concat([Buffer.from(text)], 2 ** 20));
  return path;
};
const folders = { data: volume("data", "what the guest keeps") };
const holders = { extra: volume("extra", "plugged in later"), copies: join(folder, "copies") };

let one: QemuVm;
let kernel: ReturnType<typeof guestFiles>;
before(async () => {
  kernel = guestFiles(folder);
  mkdirSync(holders.copies);
  one = await QemuVm.start(kernel, {
    domain: {
      cpu: { cores: 2, features: [{ name: "aes", policy: "disable" }] },
      chassis: { asset: "till, left", manufacturer: "Kerb" },
      clock: { timezone: "Asia/Tokyo", timer: { hpet: { present: false } } },
      features: { kvm: { hidden: true }, apic: { endOfInterrupt: true } },
      ioThreadsPolicy: "auto",
    },
    devices: {
      disks: [
        {
          ...{ name: "data", disk: { bus: "virtio" }, dedicatedIOThread: true, io: "native" },
          blockSize: { custom: { logical: 512, physical: 4096, discardGranularity: 8192 } },
        },
      ],
      blockMultiQueue: true,
      useVirtioTransitional: true,
      clientPassthrough: {},
      rng: {},
      watchdog: { i6300esb: { action: "reset" } },
    },
    volumes: [{ name: "data", persistentVolumeClaim: { claimName: "data" } }],
    folders,
  });
  await untilGuest(async () => one.vm.agentConnected, "the guest's agent").catch((error) => {
    throw new Error(`${error.message}; it said: ${one.said}`);
  });
});
after(async () => {
  await one.stop();
  rmSync(folder, { recursive: true, force: true });
});

const answers = () => one.answers(holders);
const sh = async (script: string) => {
  const { stdout } = await answers().guestExec(["/bin/sh", "-c", script]);
  return stdout.trim();
};

test("what KVM is tried with boots, and ends as it should", async () => {
  assert.equal(await tryBoot("tcg", { directory: folder, clock: systemClock }), undefined);
});

test("the guest's agent tells what it is, and runs commands", async () => {
  const info = await answers().guestInfo();
  assert.match(info["os"].kernelRelease, /cloud-amd64/);
  assert.equal(await sh("head -c 4 /dev/vda"), "what");
  const failed = await answers().guestExec(["/bin/sh", "-c", "echo no >&2; exit 3"]);
  assert.deepEqual(failed, { exitCode: 3, stdout: "", stderr: "no\n" });
  await answers().guestPing();
});

test("its case, its clock, its timers and its disks are what was asked for", async () => {
  assert.equal(await sh("cat /sys/class/dmi/id/chassis_asset_tag"), "till, left");
  const aheadMs = Number(await sh("date +%s")) * 1000 - Date.now();
  assert.equal(Math.round(aheadMs / 3_600_000), 9, "Tokyo's");
  assert.doesNotMatch(await sh("cat /proc/cpuinfo"), /flags.* aes /);
  assert.doesNotMatch(await sh("ls /sys/firmware/acpi/tables"), /HPET/);
  const queue = "/sys/block/vda/queue";
  const sizes = await sh(`cat ${queue}/physical_block_size ${queue}/discard_granularity`);
  assert.equal(sizes, "4096\n8192");
  assert.equal(await sh("ls /sys/block/vda/mq | wc -l"), "2");
  const ids = await sh("cat /sys/block/vda/device/../device");
  assert.equal(ids, "0x1001", "a device of virtio's first version");
  const threads: { id: string }[] = await one.vm.qmp.execute("query-iothreads");
  assert.deepEqual(
    threads.map(({ id }) => id),
    ["io-own0"],
  );
});

test("a guest is paused and goes on, and says so only once", async () => {
  await answers().pause();
  assert.equal((await answers().state()).paused, true);
  await assert.rejects(answers().pause(), { reason: "Conflict" });
  await answers().unpause();
  assert.equal((await answers().state()).status, "running");
  await assert.rejects(answers().unpause(), { reason: "Conflict" });
});

test("its screen is a picture", async () => {
  const png = Buffer.from(await answers().screenshot(), "base64");
  assert.equal(png.toString("latin1", 1, 4), "PNG");
  assert.ok(png.length > 500, `${png.length} bytes`);
});

const usbHello = 0;

/** A message of usbredir: its type, its length, a number nobody asks for, which is long but in the first. */
function redirected(type: number, content: Buffer): Buffer {
  const head = Buffer.alloc(type === usbHello ? 12 : 16);
  head.writeUInt32LE(type, 0);
  head.writeUInt32LE(content.length, 4);
  return Buffer.concat([head, content]);
}

/** A device of a vendor's own, without endpoints: hello, its interface, its endpoints, here it is. */
const usbDevice = () => {
  const hello = Buffer.alloc(68);
  hello.write("a test");
  // What QEMU asks of whoever is at a controller for USB 3: sizes of packets, long numbers and lengths.
  hello.writeUInt32LE(0x70, 64);
  const oneInterface = Buffer.alloc(4 + 4 * 32);
  oneInterface.writeUInt32LE(1, 0);
  const noEndpoints = Buffer.concat([Buffer.alloc(32, 255), Buffer.alloc(4 * 32)]);
  const device = Buffer.from([2, 255, 0, 0, 0x34, 0x12, 0x78, 0x56]);
  const all = [hello, oneInterface, noEndpoints, device];
  const types = [usbHello, 4, 5, 1];
  return Buffer.concat(all.map((content, i) => redirected(types[i]!, content)));
};

test("clients plug in USB devices of theirs, each into a slot while one is free", async () => {
  const options = { streams: new Streams(), volumes: { folder: async () => "" } };
  const plug = () => openStream(one.vm, { method: "openUsb" }, options);
  const clients = [await plug(), await plug(), await plug(), await plug()];
  await assert.rejects(plug(), /every slot of the guest is taken/);
  const [hello] = (await once(clients[3]!, "data")) as [Buffer];
  assert.match(hello.toString("latin1"), /usb-redir/);
  const monitor = { "command-line": "info usb" };
  const plugged = async () =>
    String(await one.vm.qmp.execute("human-monitor-command", monitor)).match(/Speed 480/g)
      ?.length ?? 0;
  assert.equal(await plugged(), 0);
  clients[3]!.write(usbDevice());
  await eventually(async () => (await plugged()) === 1, "the device");
  for (const client of clients) client.destroy();
  await eventually(async () => (await plugged()) === 0, "its going");
  (await eventually(plug, "a free slot")).destroy();
});

test("a disk comes and goes while it runs", async () => {
  const disk = {
    ...({
      name: "extra",
      device: "disk",
      bus: "virtio",
      readOnly: false,
      serial: "EXTRA",
    } as const),
    source: { kind: "file", file: "disk.img" } as const,
  };
  await answers().addVolume(disk, "holder");
  await eventually(async () => (await sh("head -c 7 /dev/vdb")) === "plugged", "the disk");
  assert.equal(await sh("cat /sys/block/vdb/serial"), "EXTRA");
  await answers().addVolume(disk, "holder");
  await sh("printf written | dd of=/dev/vdb conv=fsync");
  await answers().removeVolume("extra");
  const isGone = async () => (await sh("ls /sys/block | grep vdb || echo gone")) === "gone";
  await eventually(isGone, "the end of the disk");
  assert.match(readFileSync(join(holders.extra, "disk.img"), "latin1"), /^written/);
});

test("disks are copied as of one moment while the guest writes", async () => {
  await sh("printf before | dd of=/dev/vda conv=fsync");
  await answers().freeze(30);
  await answers().backup(["data"], { holder: "h", volume: "copies" });
  await answers().thaw();
  await sh("printf after- | dd of=/dev/vda conv=fsync");
  assert.match(readFileSync(join(holders.copies, "data.img"), "latin1"), /^before/);
  assert.match(readFileSync(join(folders.data, "disk.img"), "latin1"), /^after-/);
});

test("a disk grows under a running guest", async () => {
  writeFileSync(join(folders.data, "disk.img"), Buffer.alloc(2 ** 20), { flag: "a" });
  await answers().resizeVolume("data", 2 ** 21);
  await eventually(async () => (await sh("cat /sys/block/vda/size")) === "4096", "its size");
});

test("a reboot by its agent begins it anew in the same machine", async () => {
  const boots = () => one.said.split("GUEST ready").length - 1;
  const before = boots();
  await answers().softReboot();
  await untilGuest(async () => boots() > before && one.vm.agentConnected, "the next boot");
});

test("a power button ends a guest that obeys it, and its QEMU with it", async () => {
  await answers().powerDown();
  await eventually(async () => one.child.exitCode === 0, "the end");
  assert.match(one.said, /GUEST powers off/);
});
