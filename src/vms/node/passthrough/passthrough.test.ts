import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { grantedDevices } from "../../host-devices.ts";
import { lostDevices } from "./lost-devices.ts";
import { machineDevices } from "./machine-devices.ts";
import type { MachineDevices, PciDevice } from "./machine-devices.ts";
import { offersOf } from "./offer.ts";
import { PassthroughPlugin } from "./plugin.ts";

const card = (address: string, more: Partial<PciDevice> = {}): PciDevice => ({
  address,
  id: "8086:10d3",
  driver: "vfio-pci",
  group: address.slice(5, 7),
  isBridge: false,
  ...more,
});
const machine = (more: Partial<MachineDevices>): MachineDevices => ({
  ...{ pci: [], usb: [], mediated: [] },
  ...more,
});
const cards = {
  pciHostDevices: [{ resourceName: "example.com/nic", pciVendorSelector: "8086:10D3" }],
};

const ids = (permitted: object, found: Partial<MachineDevices>) =>
  Object.fromEntries(
    [...offersOf(permitted, machine(found)).offered].map(([resource, devices]) => [
      resource,
      devices.map(({ id }) => id),
    ]),
  );

test("cards that the installation permits and that VFIO has are offered, and no others", () => {
  const pci = [
    card("0000:01:00.0"),
    card("0000:02:00.0", { driver: "e1000e" }),
    card("0000:03:00.0", { id: "8086:10d4" }),
  ];
  assert.deepEqual(ids(cards, { pci }), { "example.com/nic": ["0000:01:00.0"] });
  assert.deepEqual(ids({}, { pci }), {});
  const external = cards.pciHostDevices.map((one) => ({ ...one, externalResourceProvider: true }));
  assert.deepEqual(ids({ pciHostDevices: external }, { pci }), {}, "others offer these themselves");
});

test("why a card that is permitted is not offered is said by its address", () => {
  const pci = [
    card("0000:01:00.0", { driver: "e1000e" }),
    { address: "0000:02:00.0", id: "8086:10d3", driver: "vfio-pci", isBridge: false },
    card("0000:03:00.0", { group: "7" }),
    card("0000:03:00.1", { group: "7", id: "8086:1", driver: "snd" }),
    card("0000:04:00.0", { group: "8" }),
    card("0000:04:00.1", { group: "8", id: "8086:2", driver: "pcieport", isBridge: true }),
  ];
  const { offered, withheld } = offersOf(cards, machine({ pci }));
  assert.deepEqual(
    withheld.map(({ device, why }) => `${device}: ${why}`),
    [
      "0000:01:00.0: its driver is e1000e and not vfio-pci",
      "0000:02:00.0: this machine has no IOMMU, or does not use it",
      "0000:03:00.0: 0000:03:00.1 of the same IOMMU group, 7, is used by the machine (snd)",
    ],
  );
  assert.deepEqual(
    offered.get("example.com/nic")?.map(({ nodes }) => nodes),
    [["/dev/vfio/vfio", "/dev/vfio/8"]],
  );
});

test("devices of USB are offered one by one, or as many together as the resource names", () => {
  const usb = [
    { id: "46f4:0001", bus: 1, number: 2 },
    { id: "0627:0001", bus: 1, number: 3 },
    { id: "46f4:0001", bus: 2, number: 4 },
  ];
  const stick = { vendor: "46F4", product: "1" };
  const tablet = { vendor: "0627", product: "0001" };
  const permits = (...selectors: object[]) => ({
    usb: [{ resourceName: "example.com/usb", selectors }],
  });
  assert.deepEqual(ids(permits(stick), { usb }), {
    "example.com/usb": ["46f4:0001-1:2", "46f4:0001-2:4"],
  });
  assert.deepEqual(ids(permits(stick, tablet), { usb }), {
    "example.com/usb": ["46f4:0001-1:2,0627:0001-1:3"],
  });
  assert.deepEqual(ids(permits(), { usb }), {});
});

test("a device is offered as one resource, the first that names it", () => {
  const usb = [{ id: "46f4:0001", bus: 1, number: 2 }];
  const selectors = [{ vendor: "46f4", product: "0001" }];
  const permitted = {
    usb: ["a.com/x", "b.com/y"].map((resourceName) => ({ resourceName, selectors })),
  };
  assert.deepEqual(ids(permitted, { usb }), { "a.com/x": ["46f4:0001-1:2"] });
});

test("a container is told which devices it got in KubeVirt's words, and gets their nodes", async () => {
  const plugin = new PassthroughPlugin("example.com/usb");
  const usb = [
    { id: "46f4:0001", bus: 1, number: 2 },
    { id: "0627:0001", bus: 1, number: 3 },
  ];
  const selectors = [
    { vendor: "46f4", product: "0001" },
    { vendor: "0627", product: "0001" },
  ];
  const permitted = { usb: [{ resourceName: "example.com/usb", selectors }] };
  plugin.update(offersOf(permitted, machine({ usb })).offered.get("example.com/usb")!);
  const { id } = plugin.devices()[0]!;
  const { envs, devices } = await plugin.allocate([id]);
  assert.deepEqual(envs, { USB_RESOURCE_EXAMPLE_COM_USB: "1:2,1:3" });
  assert.deepEqual(
    devices.map(({ hostPath }) => hostPath),
    ["/dev/bus/usb/001/002", "/dev/bus/usb/001/003"],
  );
  const environment = Object.entries(envs).map(([name, value]) => `${name}=${value}`);
  const asked = [{ name: "both", resource: "example.com/usb" }];
  assert.deepEqual(grantedDevices(asked, environment), [
    { name: "both", kind: "usb", at: "1:2" },
    { name: "both", kind: "usb", at: "1:3" },
  ]);
});

test("a device that leaves is ill while a pod has it, and forgotten afterwards", async () => {
  const plugin = new PassthroughPlugin("example.com/nic");
  let told = 0;
  plugin.onChange(() => told++);
  const { offered } = offersOf(cards, machine({ pci: [card("0000:01:00.0")] }));
  plugin.update(offered.get("example.com/nic")!);
  plugin.update(offered.get("example.com/nic")!);
  assert.equal(told, 1, "the same is told of once");
  await plugin.keepOnly(() => ["0000:01:00.0"]);
  plugin.update([]);
  assert.deepEqual(plugin.devices(), [{ id: "0000:01:00.0", healthy: false }]);
  await assert.rejects(plugin.allocate(["0000:01:00.0"]), /0000:01:00\.0 has left the machine/);
  await plugin.keepOnly(() => []);
  assert.deepEqual(plugin.devices(), []);
});

test("what a machine lost is read from its pod's status", () => {
  const resources = [
    { resourceID: "0000:01:00.0", health: "Unhealthy" },
    { resourceID: "0000:02:00.0", health: "Healthy" },
  ];
  const allocatedResourcesStatus = [{ name: "example.com/nic", resources }];
  const status = { containerStatuses: [{ name: "compute", allocatedResourcesStatus }] };
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "a" }, status } as any;
  assert.deepEqual(lostDevices(pod), ["example.com/nic 0000:01:00.0 does not work any more"]);
});

test("the machine's devices are read as the kernel shows them", () => {
  const sys = mkdtempSync(join(tmpdir(), "kerb-sys-"));
  const make = (
    path: string,
    files: Record<string, string>,
    links: Record<string, string> = {},
  ) => {
    const folder = join(sys, "bus", path);
    mkdirSync(folder, { recursive: true });
    for (const [name, text] of Object.entries(files))
      writeFileSync(join(folder, name), `${text}\n`);
    for (const [name, target] of Object.entries(links)) symlinkSync(target, join(folder, name));
  };
  try {
    const nic = { vendor: "0x8086", device: "0x10d3", class: "0x020000" };
    make("pci/devices/0000:01:00.0", nic, { driver: "/d/vfio-pci", iommu_group: "/g/12" });
    make("pci/devices/0000:00:01.0", { vendor: "0x1b36", device: "0x000c", class: "0x060400" });
    const stick = { idVendor: "46f4", idProduct: "0001", busnum: "2", devnum: "3" };
    make("usb/devices/2-1", stick);
    make("usb/devices/2-1:1.0", {});
    make("usb/devices/usb2", { ...stick, devnum: "1" });
    assert.deepEqual(machineDevices(sys), {
      pci: [
        { address: "0000:00:01.0", id: "1b36:000c", isBridge: true },
        {
          ...{ address: "0000:01:00.0", id: "8086:10d3", isBridge: false },
          ...{ driver: "vfio-pci", group: "12" },
        },
      ],
      usb: [{ id: "46f4:0001", bus: 2, number: 3 }],
      mediated: [],
    });
  } finally {
    rmSync(sys, { recursive: true });
  }
});
