// Devices by udev's rules: on this machine's own, and on trees made for the test.
import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { handlerWorld } from "../../../test/support/handlers.ts";
import { DetailsError } from "../discovery/handler.ts";
import type { Device, HandlerWorld } from "../discovery/handler.ts";
import { udev } from "../handlers/udev.ts";
import { globPattern } from "./match.ts";
import { parseRule } from "./rules.ts";

let root: string;
let stop: AbortController;
let paths: HandlerWorld["paths"];
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), "udev-"));
  stop = new AbortController();
  paths = { sys: join(root, "sys"), udev: join(root, "udev"), dev: join(root, "dev"), root };
  for (const path of [paths.sys, join(paths.udev, "data"), paths.dev]) {
    await mkdir(path, { recursive: true });
  }
});
afterEach(async () => {
  stop.abort();
  await rm(root, { recursive: true });
});

/** A device at `devpath`, listed by its class, with these attributes. */
async function device(devpath: string, subsystem: string, files: Record<string, string>) {
  const path = join(paths.sys, devpath);
  const list = join(paths.sys, "class", subsystem);
  await mkdir(path, { recursive: true });
  await mkdir(list, { recursive: true });
  for (const [name, text] of Object.entries(files)) {
    await mkdir(dirname(join(path, name)), { recursive: true });
    await writeFile(join(path, name), text);
  }
  await symlink(list, join(path, "subsystem"));
  await symlink(path, join(list, devpath.split("/").at(-1)!));
}

function discover(
  rules: string[],
  more: { details?: string; properties?: Record<string, string>; on?: typeof paths } = {},
) {
  const world = handlerWorld({ paths: more.on ?? paths });
  const details = `udevRules:\n${rules.map((rule) => `- '${rule}'\n`).join("")}${more.details ?? ""}`;
  const given = Object.entries(more.properties ?? {});
  const properties = new Map(given.map(([key, value]) => [key, Buffer.from(value)]));
  const request = { details, properties, signal: stop.signal };
  return udev.discover(request, world)[Symbol.asyncIterator]();
}

async function found(...args: Parameters<typeof discover>): Promise<Device[]> {
  const { value } = await discover(...args).next();
  return value;
}

const ids = async (...rules: string[]) => (await found(rules)).map(({ id }) => id);

async function cameras() {
  const usb = "devices/pci0000:00/0000:00:14.0/usb1/1-1";
  await device(usb, "usb", {
    uevent: "DEVNAME=bus/usb/001/004\nMAJOR=189\nMINOR=3\n",
    idVendor: "046d\n",
  });
  for (const n of [0, 1]) {
    await device(`${usb}/video4linux/video${n}`, "video4linux", {
      uevent: `MAJOR=81\nMINOR=${n}\nDEVNAME=video${n}\n`,
      name: `Cam ${n}\n`,
    });
  }
  const record = "E:ID_MODEL=C920\nG:camera\nQ:camera\n";
  await writeFile(join(paths.udev, "data", "c81:0"), record);
  return `/${usb}`;
}

test("this machine's own null device is found", async () => {
  const on = handlerWorld().paths;
  const [device] = await found(['KERNEL=="null", SUBSYSTEM=="mem"'], { on });
  assert.deepEqual(device, {
    id: "/devices/virtual/mem/null",
    properties: { UDEV_DEVPATH: "/devices/virtual/mem/null", UDEV_DEVNODE: "/dev/null" },
    mounts: [],
    nodes: [{ containerPath: "/dev/null", hostPath: "/dev/null", permissions: "rwm" }],
  });
});

test("each field of a rule looks at what it names", async () => {
  const usb = await cameras();
  const [zero, one] = [0, 1].map((n) => `${usb}/video4linux/video${n}`);
  assert.deepEqual(await ids('KERNEL=="video[0-9]*"'), [zero, one]);
  assert.deepEqual(await ids('KERNEL=="video?", ATTR{name}=="*1"'), [one]);
  assert.deepEqual(await ids('SUBSYSTEM=="video4linux", ATTR{name}!="Cam 0"'), [one]);
  assert.deepEqual(await ids('ENV{ID_MODEL}=="C9*"'), [zero]);
  assert.deepEqual(await ids('TAG=="camera"'), [zero]);
  assert.deepEqual(await ids('KERNEL=="video0", ATTRS{idVendor}=="046d"'), [zero]);
  assert.deepEqual(await ids('KERNEL=="video0", ATTRS{idVendor}=="dead"'), []);
  assert.deepEqual(await ids('SUBSYSTEMS=="usb", KERNEL!="video.*"'), [usb]);
  assert.deepEqual(await ids('KERNEL=="video1"', 'TAG=="camera"'), [zero, one]);
  assert.deepEqual(await ids('KERNEL=="video0", ATTR{../../idVendor}=="046d"'), []);
});

test("parts of one device are one device when they are grouped", async () => {
  const usb = await cameras();
  const [camera, ...rest] = await found(['SUBSYSTEMS=="usb"'], {
    details: "groupRecursive: true\npermissions: rw\n",
    properties: { devicePluginResourceName: "vendor.com/cam" },
  });
  assert.deepEqual(rest, []);
  assert.equal(camera?.id, usb);
  // Named as Akri does; KubeVirt wants the address without a number.
  assert.deepEqual(camera?.properties, {
    UDEV_DEVPATH: usb,
    UDEV_DEVNODE_0: join(paths.dev, "bus/usb/001/004"),
    UDEV_DEVNODE_1: join(paths.dev, "video0"),
    UDEV_DEVNODE_2: join(paths.dev, "video1"),
    USB_RESOURCE_VENDOR_COM_CAM: "1:4",
    USB_RESOURCE_VENDOR_COM_CAM_0: "1:4",
  });
  assert.deepEqual(new Set(camera?.nodes.map((one) => one.permissions)), new Set(["rw"]));
});

async function cardOfGroup7(): Promise<string> {
  const card = "devices/pci0000:00/0000:00:1c.0/0000:03:00.0";
  await device(card, "pci", { uevent: "", vendor: "0x8086\n" });
  await mkdir(join(paths.sys, "kernel/iommu_groups/7"), { recursive: true });
  await symlink(join(paths.sys, "kernel/iommu_groups/7"), join(paths.sys, card, "iommu_group"));
  return card;
}

test("a card to be passed through has its address and the nodes of its group", async () => {
  const card = await cardOfGroup7();
  const [one] = await found(['SUBSYSTEM=="pci"'], {
    properties: { devicePluginResourceName: "intel.com/card", vfioPassthrough: "True" },
  });
  assert.deepEqual(one?.properties, {
    UDEV_DEVPATH: `/${card}`,
    PCI_RESOURCE_INTEL_COM_CARD: "0000:03:00.0",
  });
  const nodes = one?.nodes.map(({ hostPath, permissions }) => [hostPath, permissions]);
  const vfio = ["7", "vfio"].map((name) => [join(paths.dev, "vfio", name), "rw"]);
  assert.deepEqual(nodes, vfio);
});

test("a card has the nodes of its group once it is bound to vfio-pci, whatever its resource", async () => {
  const card = await cardOfGroup7();
  const [before] = await found(['SUBSYSTEM=="pci"']);
  assert.deepEqual(before?.nodes, []);
  const driver = join(paths.sys, "bus/pci/drivers/vfio-pci");
  await mkdir(driver, { recursive: true });
  await symlink(driver, join(paths.sys, card, "driver"));
  const [bound] = await found(['SUBSYSTEM=="pci"']);
  assert.deepEqual(bound?.properties, { UDEV_DEVPATH: `/${card}` });
  const nodes = bound?.nodes.map(({ hostPath }) => hostPath);
  assert.deepEqual(
    nodes,
    ["7", "vfio"].map((name) => join(paths.dev, "vfio", name)),
  );
});

test("what has no node of its own is reached by its parent's", async () => {
  const usb = await cameras();
  await device(`${usb.slice(1)}/1-1:1.0`, "usbif", { uevent: "DEVTYPE=usb_interface\n" });
  assert.deepEqual(await ids('SUBSYSTEM=="usbif"'), [usb]);
});

test("a device that comes while one looks is told of", async () => {
  await cameras();
  const looking = discover(['KERNEL=="video[0-9]*"']);
  assert.equal((await looking.next()).value.length, 2);
  const next = looking.next();
  const usb = "devices/pci0000:00/0000:00:14.0/usb1/1-1";
  await device(`${usb}/video4linux/video2`, "video4linux", {
    uevent: "MAJOR=81\nMINOR=2\nDEVNAME=video2\n",
  });
  await writeFile(join(paths.dev, "video2"), "");
  assert.equal((await next).value.length, 3);
});

const wrongRules: [rule: string, why: RegExp][] = [
  ['KERNEL="x"', /= is an action; only == and != choose devices/],
  ['RUN=="x"', /RUN is not supported/],
  ['ATTR=="x"', /ATTR needs a {key}/],
  ['KERNEL{a}=="x"', /KERNEL takes no {key}/],
  ["KERNEL==x", /FIELD=="VALUE" is expected at character 1/],
  ['KERNEL=="x" TAG=="y"', /a comma is expected at character 13/],
  ['KERNEL=="x",', /FIELD=="VALUE" is expected at character 13/],
  ['KERNEL=="<"', /"<" is no value/],
  ['DRIVER=="[a"', /"\[a"/],
];
for (const [rule, why] of wrongRules) {
  test(`the rule ${rule} is refused by name`, async () => {
    const looking = discover([rule]).next();
    await assert.rejects(
      looking,
      (error) => error instanceof DetailsError && why.test(error.message),
    );
  });
}

test("permissions are letters that devices know", async () => {
  await assert.rejects(found(['KERNEL=="x"'], { details: "permissions: rwx\n" }), DetailsError);
});

test("spaces may stand between the terms of a rule, and shell patterns are read as such", () => {
  const rule = parseRule(' ENV{ID_PATH} == "a b" ,KERNEL!="c" ');
  assert.deepEqual(rule, [
    { field: "ENV", key: "ID_PATH", negated: false, value: "a b" },
    { field: "KERNEL", key: "", negated: true, value: "c" },
  ]);
  assert.equal(globPattern("a*[!b-c]?."), "a.*[^b-c].\\.");
});
