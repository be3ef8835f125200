// Trees of files as machines with such cards have them.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, test } from "node:test";
import { handlerWorld, startSearch } from "../../../test/support/handlers.ts";
import { FakeClock } from "../../lib/fake-clock.ts";
import { Scope } from "../../lib/scope.ts";
import type { Device, HandlerWorld } from "../discovery/handler.ts";
import { gpu } from "./gpu.ts";

let root: string;
let scope: Scope;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), "gpu-"));
  scope = new Scope();
});
afterEach(async () => {
  await scope.close();
  rmSync(root, { recursive: true });
});

function files(of: Record<string, string>) {
  for (const [path, text] of Object.entries(of)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
}

const search = (details: object, world: Partial<HandlerWorld>) =>
  startSearch(gpu, details, {
    scope,
    world: { paths: { ...handlerWorld().paths, root }, ...world },
  });

const look = (details: object = {}, run: HandlerWorld["run"] = handlerWorld().run) =>
  search(details, { run })();

const uuid = "GPU-5f5a69c2-e0ae-504f-829b-00fcdab169cc";
const other = "GPU-11111111-2222-3333-4444-555555555555";

const information = (minor: number, address: string, of = uuid) => ({
  [`proc/driver/nvidia/gpus/${address}/information`]:
    `Model: \t\t NVIDIA H200\nIRQ:   \t\t 16\nGPU UUID: \t ${of}\nVideo BIOS: \t ??.??.??.??.??\n` +
    `Bus Location: \t ${address}\nDevice Minor: \t ${minor}\nGPU Excluded:\t No\n`,
});

const libraries = `usr/lib/${process.arch === "arm64" ? "aarch64" : "x86_64"}-linux-gnu`;

const nvidia = () =>
  files({
    ...information(0, "0000:17:00.0"),
    "dev/nvidia0": "",
    "dev/nvidiactl": "",
    "dev/nvidia-uvm": "",
    [`${libraries}/libcuda.so.1`]: "",
    [`${libraries}/libcuda.so.570.86.15`]: "",
    [`${libraries}/libnvidia-nvvm.so.4`]: "",
    [`${libraries}/libnvidia-nvvm70.so.4`]: "",
    [`${libraries}/libnvidia-glcore.so.570.86.15`]: "",
    [`${libraries}/libother.so.1`]: "",
    "usr/bin/nvidia-smi": "",
  });

const mountsOf = (card: Device | undefined) =>
  card?.mounts.map(({ containerPath }) => containerPath).sort();

/** Where the loaders of Debian and of Red Hat look. */
const inBoth = (...names: string[]) =>
  [
    "/usr/bin/nvidia-smi",
    ...names.flatMap((name) => [`/${libraries}/${name}`, `/usr/lib64/${name}`]),
  ].sort();

test("an NVIDIA card has its model, its memory, its nodes and its driver's libraries", async () => {
  nvidia();
  const [card] = await look({}, async () => `00000000:17:00.0, ${uuid}, 143771\n`);
  assert.equal(card?.id, uuid);
  assert.deepEqual(card?.properties, {
    GPU_VENDOR: "nvidia",
    GPU_MODEL: "NVIDIA H200",
    GPU_UUID: uuid,
    GPU_PCI_ADDRESS: "0000:17:00.0",
    GPU_MEMORY_BYTES: String(143_771 * 2 ** 20),
    NVIDIA_VISIBLE_DEVICES: uuid,
  });
  assert.deepEqual(
    card?.nodes.map(({ containerPath }) => containerPath),
    ["/dev/nvidia0", "/dev/nvidiactl", "/dev/nvidia-uvm"],
  );
  assert.deepEqual(
    mountsOf(card),
    inBoth("libcuda.so.1", "libcuda.so.570.86.15", "libnvidia-nvvm.so.4", "libnvidia-nvvm70.so.4"),
  );
});

test("a driver of another distribution's folder is where either loader looks, and none of 32 bits", async () => {
  files({
    ...information(0, "0000:17:00.0"),
    "usr/lib64/libcuda.so.1": "",
    "usr/lib64/libnvidia-ml.so.1": "",
    "usr/lib/libcuda.so.1": "",
    "usr/lib/libnvidia-ptxjitcompiler.so.1": "",
    "usr/bin/nvidia-smi": "",
  });
  const [card] = await look();
  assert.deepEqual(mountsOf(card), inBoth("libcuda.so.1", "libnvidia-ml.so.1"));
  assert.equal(card?.mounts[0]?.hostPath, join(root, "usr/lib64/libcuda.so.1"));
});

test("the node that all who compute need is asked for where nobody has computed yet", async () => {
  nvidia();
  rmSync(join(root, "dev/nvidia-uvm"));
  const asked: string[] = [];
  const [card] = await look({}, async (program, args) => {
    asked.push([program, ...args.slice(0, 3)].join(" "));
    if (program === "nvidia-modprobe") files({ "dev/nvidia-uvm": "" });
    return "";
  });
  assert.equal(asked[0], "nvidia-modprobe -c 0 -u");
  assert.ok(card?.nodes.some(({ containerPath }) => containerPath === "/dev/nvidia-uvm"));
});

test("without nvidia-smi a card is found all the same, its memory unknown", async () => {
  nvidia();
  const [card] = await look();
  assert.equal(card?.id, uuid);
  assert.equal(card?.properties["GPU_MEMORY_BYTES"], undefined);
  assert.deepEqual(await look({ memoryBytesMin: 1 }), []);
});

test("cards that nobody has used are told apart by the library, or by where they are", async () => {
  const none = "GPU-????????-????-????-????-????????????";
  files({
    ...information(1, "0000:17:00.0", none),
    ...information(0, "0000:3B:00.0", none),
  });
  const rows = [`00000000:17:00.0, ${uuid}, 1024`, `00000000:3B:00.0, ${other}, 2048`];
  const found = await look({}, async () => rows.join("\n"));
  assert.deepEqual(
    found.map(({ id, properties, nodes }) => [
      id,
      properties["GPU_MEMORY_BYTES"],
      nodes[0]?.containerPath,
    ]),
    [
      [other, "2147483648", "/dev/nvidia0"],
      [uuid, "1073741824", "/dev/nvidia1"],
    ],
  );
  const alone = await look();
  assert.deepEqual(
    alone.map(({ id }) => id),
    ["pci-0000:17:00.0", "pci-0000:3b:00.0"],
  );
});

test("a card that the driver leaves alone is none", async () => {
  nvidia();
  const [path, text] = Object.entries(information(0, "0000:17:00.0"))[0]!;
  files({ [path]: text.replace("Excluded:\t No", "Excluded:\t Yes") });
  assert.deepEqual(await look(), []);
});

test("the library is asked once for the cards that are there, and again when that changes", async () => {
  nvidia();
  const clock = new FakeClock();
  let asked = 0;
  const next = search({ intervalSeconds: 1 }, { clock, run: async () => `${asked++}` });
  await next();
  files({ ...information(1, "0000:3b:00.0", other), "dev/nvidia1": "" });
  const found = next();
  await clock.advance(1001);
  assert.equal((await found).length, 2);
  assert.equal(asked, 2);
  rmSync(join(root, "dev/nvidia-uvm"));
  const without = next();
  await clock.advance(1001);
  assert.equal((await without)[0]?.nodes.length, 2);
  assert.equal(asked, 2);
});

test("a library that never answers does not hide the cards", async () => {
  nvidia();
  const clock = new FakeClock();
  const found = search({}, { clock, run: () => new Promise(() => {}) })();
  await clock.advance(30_001);
  assert.equal((await found)[0]?.id, uuid);
});

test("who is asked too early is asked again, one that hangs is not joined, and no card changes its name", async () => {
  files({
    ...information(0, "10000:17:00.0", "GPU-????"),
    "dev/nvidia0": "",
    "dev/nvidia-uvm": "",
  });
  const clock = new FakeClock();
  let answer: (said: string) => void = () => {};
  let asked = 0;
  const run = () =>
    new Promise<string>((resolve) => {
      asked += 1;
      answer = resolve;
    });
  const next = search({ intervalSeconds: 10 }, { clock, run });
  const first = next();
  await clock.advance(30_001);
  assert.match((await first)[0]!.refused!, /nvidia-smi does not answer/);
  const second = next();
  await clock.advance(61_000);
  assert.equal(asked, 1);
  answer("");
  await clock.advance(61_000);
  assert.equal(asked, 2);
  answer(`00010000:17:00.0, ${uuid}, 1024\n`);
  const [card] = await second;
  assert.deepEqual([card?.id, card?.refused], [uuid, undefined]);
});

test("a card whose node is not there, whatever is asked for it, is refused by it", async () => {
  nvidia();
  rmSync(join(root, "dev/nvidia0"));
  const [card] = await look({}, async () => "");
  assert.equal(card?.refused, "/dev/nvidia0 is not there");
});

/** What nvidia-smi prints of one card with parts `[index, gi, ci]`. */
function divided(parts: [number, number, number][], mode = "Enabled"): HandlerWorld["run"] {
  const mig = ([index, gi, ci]: [number, number, number]) =>
    `<mig_device><index>${index}</index><gpu_instance_id>${gi}</gpu_instance_id>` +
    `<compute_instance_id>${ci}</compute_instance_id><fb_memory_usage><total>16384 MiB</total>` +
    `</fb_memory_usage></mig_device>`;
  const xml =
    '<?xml version="1.0" ?>\n<!DOCTYPE nvidia_smi_log SYSTEM "nvsmi_device_v12.dtd">\n' +
    `<nvidia_smi_log><gpu id="00000000:17:00.0"><mig_mode><current_mig>${mode}</current_mig>` +
    `</mig_mode><mig_devices>${parts.map(mig).join("")}</mig_devices></gpu></nvidia_smi_log>`;
  const names = parts.map(
    ([index]) => `  MIG 1g.18gb     Device  ${index}: (UUID: MIG-0000000${index}-a-b)\n`,
  );
  const list = `GPU 0: NVIDIA H200 (UUID: ${uuid})\n${names.join("")}`;
  return async (_, [first]) =>
    first === "-L" ? list : first === "-q" ? xml : `00000000:17:00.0, ${uuid}, 143771\n`;
}

const migFiles = (of: Record<string, number>) =>
  files({
    "proc/driver/nvidia/capabilities/mig/config": "DeviceFileMinor: 1\n",
    ...Object.fromEntries(
      Object.entries(of).map(([path, minor]) => [
        `proc/driver/nvidia/capabilities/gpu0/mig/${path}/access`,
        `DeviceFileMinor: ${minor}\nDeviceFileMode: 292\nDeviceFileModify: 1\n`,
      ]),
    ),
  });

/** Makes the node of a part, as the driver's own program does. */
function modprobe(args: string[]) {
  const minor = /gi7\/ci0/.test(args[1]!)
    ? 67
    : /gi7/.test(args[1]!)
      ? 66
      : /ci0/.test(args[1]!)
        ? 76
        : 75;
  files({ [`dev/nvidia-caps/nvidia-cap${minor}`]: "" });
}

test("a card in MIG mode is its parts, each with its own memory and nodes", async () => {
  nvidia();
  migFiles({ gi7: 66, "gi7/ci0": 67, gi8: 75, "gi8/ci0": 76 });
  const run = divided([
    [0, 7, 0],
    [1, 8, 0],
  ]);
  const [first, second, ...more] = await look({}, async (program, args) => {
    if (program !== "nvidia-modprobe") return run(program, args);
    modprobe(args);
    return "";
  });
  assert.deepEqual([first?.refused, second?.refused], [undefined, undefined]);
  assert.deepEqual([first?.id, second?.id, more], ["MIG-00000000-a-b", "MIG-00000001-a-b", []]);
  assert.deepEqual(first?.properties, {
    GPU_VENDOR: "nvidia",
    GPU_MODEL: "NVIDIA H200",
    GPU_PCI_ADDRESS: "0000:17:00.0",
    GPU_MIG_PROFILE: "1g.18gb",
    GPU_UUID: "MIG-00000000-a-b",
    NVIDIA_VISIBLE_DEVICES: "MIG-00000000-a-b",
    GPU_MEMORY_BYTES: String(16_384 * 2 ** 20),
  });
  assert.deepEqual(
    second?.nodes.map(({ containerPath }) => containerPath),
    [
      "/dev/nvidia0",
      "/dev/nvidiactl",
      "/dev/nvidia-uvm",
      "/dev/nvidia-caps/nvidia-cap75",
      "/dev/nvidia-caps/nvidia-cap76",
    ],
  );
});

test("a card in MIG mode without parts, or with some that nobody names, is refused", async () => {
  nvidia();
  migFiles({});
  const [empty, ...more] = await look({}, divided([]));
  assert.deepEqual([empty?.id, more], [uuid, []]);
  assert.match(empty!.refused!, /MIG mode and has no parts/);
  assert.equal((await look({}, divided([], "Disabled")))[0]?.refused, undefined);
  migFiles({ gi7: 66, "gi7/ci0": 67 });
  const [unnamed] = await look();
  assert.match(unnamed!.refused!, /of its 1 parts nvidia-smi and \/proc name 0/);
});

/** A card at a PCI address, as the kernel's class of drm lists it. */
function drm(name: string, address: string, of: Record<string, string>) {
  const device = `sys/devices/pci0000:00/${address}`;
  const entries = Object.entries(of).map(([file, text]) => [`${device}/${file}`, text]);
  files({ ...Object.fromEntries(entries), [`${device}/drm/${name}/dev`]: "226:0" });
  mkdirSync(join(root, device, "drm/renderD128"), { recursive: true });
  mkdirSync(join(root, "sys/class/drm", name), { recursive: true });
  symlinkSync(join(root, device), join(root, "sys/class/drm", name, "device"));
}

test("an AMD card has its memory, its queue and its nodes", async () => {
  files({ "dev/kfd": "" });
  const of = { vendor: "0x1002\n", mem_info_vram_total: "17163091968\n", product_name: "MI210" };
  drm("card0", "0000:03:00.0", of);
  const [card] = await look();
  assert.equal(card?.id, "pci-0000:03:00.0");
  assert.equal(card?.properties["GPU_MEMORY_BYTES"], "17163091968");
  assert.equal(card?.properties["GPU_MODEL"], "MI210");
  assert.deepEqual(
    card?.nodes.map(({ containerPath }) => containerPath),
    ["/dev/dri/card0", "/dev/dri/renderD128", "/dev/kfd"],
  );
});

test("an Intel card is found by its vendor, and left out where another is wanted", async () => {
  drm("card1", "0000:00:02.0", { vendor: "0x8086\n", uevent: "PCI_ID=8086:56C0\n" });
  const [card] = await look({ vendors: { items: ["intel"] } });
  assert.equal(card?.properties["GPU_MODEL"], "8086:56C0");
  assert.deepEqual(await look({ vendors: { items: ["nvidia"] } }), []);
});

test("an Edge TPU stick is found by its USB id, before and after its firmware", async () => {
  const stick = (port: string, vendor: string, product: string) =>
    files({
      [`sys/bus/usb/devices/${port}/idVendor`]: vendor,
      [`sys/bus/usb/devices/${port}/idProduct`]: product,
      [`sys/bus/usb/devices/${port}/busnum`]: "2\n",
      [`sys/bus/usb/devices/${port}/devnum`]: "3\n",
    });
  stick("2-1", "1a6e\n", "089a\n");
  stick("2-2", "18d1\n", "9302\n");
  stick("2-3", "046d\n", "0825\n");
  const found = await look();
  assert.deepEqual(
    found.map(({ id }) => id),
    ["usb-2-1", "usb-2-2"],
  );
  assert.equal(found[0]?.nodes[0]?.containerPath, "/dev/bus/usb/002/003");
});
