import assert from "node:assert/strict";
import { test } from "node:test";
import { placeAttributes, placeOf, placeVariable } from "./place.ts";

const card = "/devices/pci0000:00/0000:00:1c.0/0000:03:00.0";
const hub = "/devices/pci0000:00/0000:00:14.0/usb1/1-1";
const pciBusID = "resource.kubernetes.io/pciBusID";

const cases: [string, Record<string, string>, object][] = [
  ["a card", { UDEV_DEVPATH: card }, { [pciBusID]: { string: "0000:03:00.0" } }],
  [
    "a stick",
    { UDEV_DEVPATH: hub, UDEV_DEVNODE: "/dev/bus/usb/001/014" },
    { usbBus: { int: 1 }, usbDevice: { int: 14 } },
  ],
  [
    "a stick with its parts",
    { UDEV_DEVPATH: hub, UDEV_DEVNODE_0: "/dev/bus/usb/001/004", UDEV_DEVNODE_1: "/dev/video0" },
    { usbBus: { int: 1 }, usbDevice: { int: 4 } },
  ],
  ["a part of a stick", { UDEV_DEVPATH: `${hub}/video0`, UDEV_DEVNODE: "/dev/video0" }, {}],
  ["a GPU", { GPU_PCI_ADDRESS: "0000:41:00.0" }, { [pciBusID]: { string: "0000:41:00.0" } }],
  ["a part of a GPU", { GPU_PCI_ADDRESS: "0000:41:00.0", GPU_MIG_PROFILE: "1g.10gb" }, {}],
  ["a camera", { ONVIF_DEVICE_UUID: "1" }, {}],
];

for (const [what, properties, attributes] of cases) {
  test(`where ${what} lies`, () => {
    assert.deepEqual(placeAttributes(placeOf(properties)), attributes);
  });
}

test("its variable is named after the resource", () => {
  assert.equal(placeVariable("USB", "line.akri.sh/sticks-1"), "USB_RESOURCE_LINE_AKRI_SH_STICKS-1");
});
