import assert from "node:assert/strict";
import { test } from "node:test";
import { deviceErrors, grantedDevices, hostDevicesOf, permittedDevices } from "./host-devices.ts";

const devices = hostDevicesOf({
  gpus: [{ name: "g", deviceName: "example.com/a-gpu" }],
  hostDevices: [
    { name: "a", deviceName: "example.com/card" },
    { name: "b", deviceName: "example.com/card" },
    { name: "key", deviceName: "example.com/key" },
  ],
});

test("every device is the next that its plugin granted", () => {
  const environment = [
    "PATH=/bin",
    "MDEV_PCI_RESOURCE_EXAMPLE_COM_A-GPU=1b2c",
    "PCI_RESOURCE_EXAMPLE_COM_CARD=0000:01:00.0,0000:02:00.0",
    "USB_RESOURCE_EXAMPLE_COM_KEY=1:4",
  ];
  assert.deepEqual(grantedDevices(devices, environment), [
    { name: "g", kind: "mediated", at: "1b2c" },
    { name: "a", kind: "pci", at: "0000:01:00.0" },
    { name: "b", kind: "pci", at: "0000:02:00.0" },
    { name: "key", kind: "usb", at: "1:4" },
  ]);
  assert.throws(() => grantedDevices(devices, environment.slice(0, 2)), /device a: the plugin of/);
});

test("only devices that the installation permits are given to guests", () => {
  const permitted = permittedDevices({
    permittedHostDevices: { pciHostDevices: [{ resourceName: "example.com/card" }] },
  });
  const asked = {
    hostDevices: [{ name: "a", deviceName: "example.com/card" }],
    gpus: [{ name: "g", deviceName: "x/y" }],
  };
  assert.deepEqual(
    deviceErrors(asked, "spec.domain.devices", permitted).map(({ field }) => field),
    ["spec.domain.devices.gpus[0].deviceName"],
  );
});
